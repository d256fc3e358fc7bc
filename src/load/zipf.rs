//! Who is asked for how often: the n-th of a population by a share that falls as n to the power of an exponent. 0
//! asks for all alike; around 1 is what popularity on the web is like (Breslau et al., "Web Caching and Zipf-like
//! Distributions", 1999).

/// Popularity of a population.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// The share of the first n, for each n; the last is 1.
    cumulative: Box<[f64]>,
}

impl Zipf {
    /// Of `count` members, the first the most popular.
    pub(super) fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Box<[f64]> = (1..=count)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        for share in &mut cumulative {
            *share /= sum;
        }
        Self { cumulative }
    }

    /// The member for a number from 0 up to and without 1; 0 of none.
    pub(super) fn pick(&self, unit: f64) -> usize {
        let found = self.cumulative.partition_point(|share| *share <= unit);
        found.min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::random::Random;
    use super::*;

    fn counts(members: usize, exponent: f64, draws: usize) -> Vec<usize> {
        let zipf = Zipf::new(members, exponent);
        let mut random = Random::new(1, 0);
        let mut counts = vec![0; members];
        for _ in 0..draws {
            counts[zipf.pick(random.unit())] += 1;
        }
        counts
    }

    proptest! {
        /// Protects runs from asking for who is not there, and popularity from running backwards: a larger
        /// number never picks a more popular member.
        #[test]
        fn picks_are_members_and_fall_in_popularity(
            members in 1_usize..2000,
            exponent in 0.0_f64..3.0,
            (low, high) in (0.0_f64..1.0, 0.0_f64..1.0),
        ) {
            let zipf = Zipf::new(members, exponent);
            let (low, high) = (low.min(high), low.max(high));
            prop_assert!(zipf.pick(high) < members);
            prop_assert!(zipf.pick(low) <= zipf.pick(high));
            prop_assert_eq!(zipf.pick(0.0), 0);
        }
    }

    /// Protects the meaning of the exponent: with 1 the first comes twice as often as the second and ten times as
    /// often as the tenth; with 0 all come alike.
    #[test]
    fn shares_fall_by_the_exponent() {
        let counts_of_one = counts(100, 1.0, 200_000);
        let ratio = |rank: usize| counts_of_one[0] as f64 / counts_of_one[rank - 1] as f64;
        assert!((1.9..2.1).contains(&ratio(2)), "{}", ratio(2));
        assert!((9.0..11.0).contains(&ratio(10)), "{}", ratio(10));
        let even = counts(10, 0.0, 100_000);
        assert!(even.iter().all(|count| (9_500..10_500).contains(count)), "{even:?}");
    }

    /// Protects the smallest population, and none.
    #[test]
    fn one_member_is_always_picked() {
        assert_eq!(counts(1, 1.2, 100), [100]);
        assert_eq!(Zipf::new(0, 1.0).pick(0.5), 0);
    }
}

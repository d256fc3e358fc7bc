//! Signatures that others made. The first table is AWS's published Signature Version 4 test suite
//! (names of its cases; key AKIDEXAMPLE, us-east-1, service `service`); the second was made once
//! with botocore 1.43.11 (`SigV4Auth`, `SigV4QueryAuth`, `S3SigV4Auth.add_auth` over an
//! `AWSRequest`, its clock held at the date below) and holds the headers as botocore would send
//! them.

use super::*;
use crate::signing::Secret;

const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SUITE_DATE: &str = "20150830T123600Z";
const UNRESERVED: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
    signature: &'static str,
}

const VANILLA: Case = Case {
    name: "get-vanilla",
    method: "GET",
    path: "/",
    query: "",
    headers: &[],
    body: b"",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
};
const POST: Case = Case {
    name: "post-vanilla",
    method: "POST",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ..VANILLA
};

const fn path(name: &'static str, path: &'static str, signature: &'static str) -> Case {
    Case { name, path, signature, ..VANILLA }
}

const fn query(name: &'static str, query: &'static str, signature: &'static str) -> Case {
    Case { name, query, signature, ..VANILLA }
}

const fn headers(
    name: &'static str,
    headers: &'static [(&'static str, &'static str)],
    signature: &'static str,
) -> Case {
    Case { name, headers, signature, ..VANILLA }
}

const SUITE: &[Case] = &[
    VANILLA,
    POST,
    path("get-relative", "/example/..", VANILLA.signature),
    path("get-relative-relative", "/example1/example2/../..", VANILLA.signature),
    path("get-slash", "//", VANILLA.signature),
    path("get-slash-dot-slash", "/./", VANILLA.signature),
    path(
        "get-slash-pointless-dot",
        "/./example",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    path(
        "get-slashes",
        "//example//",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    path(
        "get-space",
        "/example space/",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    path(
        "get-utf8",
        "/\u{1234}",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    path(
        "get-unreserved",
        "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    query(
        "get-vanilla-query-order-key-case",
        "Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    query(
        "get-vanilla-query-order-key",
        "Param1=value2&Param1=Value1",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    query(
        "get-vanilla-query-order-value",
        "Param1=value2&Param1=value1",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    headers(
        "get-header-key-duplicate",
        &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    headers(
        "get-header-value-order",
        &[
            ("My-Header1", "value4"),
            ("My-Header1", "value1"),
            ("My-Header1", "value3"),
            ("My-Header1", "value2"),
        ],
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    headers(
        "get-header-value-trim",
        &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    Case {
        name: "post-header-key-sort",
        headers: &[("My-Header1", "value1")],
        signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ..POST
    },
    Case {
        name: "post-vanilla-query",
        query: "Param1=value1",
        signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ..POST
    },
    Case {
        name: "post-x-www-form-urlencoded",
        headers: &[("Content-Type", "application/x-www-form-urlencoded")],
        body: b"Param1=value1",
        signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ..POST
    },
    Case {
        name: "post-x-www-form-urlencoded-parameters",
        headers: &[("Content-Type", "application/x-www-form-urlencoded; charset=utf8")],
        body: b"Param1=value1",
        signature: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
        ..POST
    },
];

fn suite_signs(case: &Case, query: &str, signature: &str) {
    let secret = Secret::new(SUITE_SECRET);
    let now = time::parse_basic(SUITE_DATE).unwrap();
    let mut headers = vec![("Host", "example.amazonaws.com")];
    headers.extend(case.headers);
    let hash = body_sha256(case.body);
    let request = Signable {
        method: case.method,
        path: case.path,
        query,
        headers: &headers,
        body_sha256: &hash,
        path_style: PathStyle::Normalized,
    };
    let signer = Signer {
        access_key: "AKIDEXAMPLE",
        secret: &secret,
        session_token: None,
        region: "us-east-1",
        service: "service",
    };
    let added = signer.sign(&request, now);
    let (_, authorization) = added.iter().find(|(name, _)| *name == "authorization").unwrap();
    assert!(authorization.ends_with(signature), "{}: {authorization}", case.name);

    let mut headers = headers.clone();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let credential = parse(&headers, query).unwrap();
    let expectations =
        Expectations { service: "service".to_owned(), regions: vec!["us-east-1".to_owned()] };
    let request = Signable { headers: &headers, ..request };
    assert_eq!(verify(&secret, &credential, &request, now, &expectations), Ok(()), "{}", case.name);
}

#[test]
fn the_published_suite_is_signed_and_verified() {
    for case in SUITE {
        suite_signs(case, case.query, case.signature);
    }
    suite_signs(
        &Case { name: "get-vanilla-query-unreserved", ..VANILLA },
        &format!("{UNRESERVED}={UNRESERVED}"),
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    );
}

const BOTO_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const BOTO_TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE/token+with=signs";

fn boto_verifies(
    method: &str,
    (path, query): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
    (region, service): (&str, &str),
) -> Credential {
    let style = if service == "s3" { PathStyle::S3 } else { PathStyle::Normalized };
    let hash = body_sha256(body);
    let request = Signable { method, path, query, headers, body_sha256: &hash, path_style: style };
    let credential = parse(headers, query).unwrap();
    let expectations =
        Expectations { service: service.to_owned(), regions: vec![region.to_owned()] };
    let now = time::parse_basic("20261124T040800Z").unwrap();
    let secret = Secret::new(BOTO_SECRET);
    assert_eq!(verify(&secret, &credential, &request, now, &expectations), Ok(()), "{path}");
    let wrong = Signable { method: "PUT", ..request };
    assert_eq!(
        verify(&secret, &credential, &wrong, now, &expectations),
        Err(Mismatch::Signature.into())
    );
    credential
}

#[test]
fn a_form_post_of_botocore_with_a_session_is_verified() {
    let credential = boto_verifies(
        "POST",
        ("/", ""),
        &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("user-agent", "Boto3/1.43"),
            ("x-amzn-trace-id", "Root=1"),
            ("x-amz-date", "20261124T040800Z"),
            ("x-amz-security-token", BOTO_TOKEN),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/eu-central-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=cf3b0e3288d9d54bc5d385d5b7339d11efb4007f1b000f27f49c3b66a9a75a85",
            ),
            ("content-length", "58"),
            ("host", "127.0.0.1:5000"),
        ],
        b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=a%2Bb",
        ("eu-central-1", "sts"),
    );
    assert_eq!(credential.access_key, "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(credential.session_token.as_deref(), Some(BOTO_TOKEN));
    assert_eq!(credential.presigned_seconds, None);
}

#[test]
fn a_presigned_url_as_eks_sends_it_is_verified() {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261124%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261124T040800Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2Bwith%3Dsigns&X-Amz-Signature=e03c31cb4bc3ce2b10f63cff6f7bdb55d56821483cd73f0781b27a380d43374f";
    let credential = boto_verifies(
        "GET",
        ("/", query),
        &[
            ("Host", "sts.us-east-1.amazonaws.com"),
            ("x-k8s-aws-id", "cluster one"),
            ("Accept", "application/json"),
        ],
        b"",
        ("us-east-1", "sts"),
    );
    assert_eq!(credential.session_token.as_deref(), Some(BOTO_TOKEN));
    assert_eq!(credential.presigned_seconds, Some(60));
}

#[test]
fn paths_and_queries_of_botocore_are_verified() {
    boto_verifies(
        "GET",
        ("/v1/a%20b/./../x//y%2Fz/", "q=%E1%88%B4&a=1%2B2&a=~"),
        &[
            ("Host", "api.example.com"),
            ("X-Amz-Date", "20261124T040800Z"),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=cc03d76bf5e832d17a016e7165a2536603e5d7590a45fc52b6bf170e7d92cb31",
            ),
        ],
        b"",
        ("us-east-1", "execute-api"),
    );
    boto_verifies(
        "GET",
        ("/a%20b//../c%2B", "list-type=2&prefix=p%2F"),
        &[
            ("Host", "bucket.s3.amazonaws.com"),
            ("X-Amz-Date", "20261124T040800Z"),
            ("X-Amz-Content-SHA256", EMPTY_SHA256),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=4c2caad90813c859e6ace04989f4171a62ebcd0920ce5205b3030faef642a734",
            ),
        ],
        b"",
        ("us-east-1", "s3"),
    );
}

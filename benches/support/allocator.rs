//! The allocator that the program has: benches that run the service in their own process measure it with the same.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

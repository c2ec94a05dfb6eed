//! Numbers of the CPUID leaves by which a guest reads its exit census.

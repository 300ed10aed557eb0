//! Finds texts that are much alike: Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002,
//! with the distance of Manku, Jain, Das Sarma, "Detecting Near-Duplicates for Web Crawling", WWW 2007.

use crate::text::Term;

/// The SimHash of the terms of a text, in 64 bits. Texts of few terms have none: there a bit says too little.
pub(crate) fn fingerprint(terms: &[Term]) -> Option<u64> {
    const TERMS_MIN: usize = 16;
    if terms.len() < TERMS_MIN {
        return None;
    }
    let mut votes = [0_i64; 64];
    for term in terms {
        let hash = mix(u64::from(*term));
        for (bit, vote) in votes.iter_mut().enumerate() {
            *vote += if hash >> bit & 1 == 1 { 1 } else { -1 };
        }
    }
    let bits = votes.iter().enumerate();
    Some(bits.fold(0, |print, (bit, vote)| print | u64::from(*vote > 0) << bit))
}

/// In how many bits two fingerprints differ.
pub(crate) const fn distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// Spreads 32 bits over 64: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::terms_of;

    #[test]
    fn near_duplicates_are_near_and_others_are_far() {
        let print = |text: &str| fingerprint(&terms_of(text)).unwrap();
        let text = "the deployment of service alpha failed because its health probe answered late twice in a row \
                    while the database moved to another zone and its connections were refused by the proxy that \
                    had cached the old address for longer than its configuration says it may";
        let near = text.replace("twice", "thrice");
        let far = "agents register with capabilities and are chosen by load then by age then by order of arrival, \
                   a queue holds what nobody can take yet and forgets nothing until somebody reports what came of it";
        assert!(distance(print(text), print(&near)) <= 6);
        assert!(distance(print(text), print(far)) > 12);
        assert_eq!(fingerprint(&terms_of("too short")), None);
    }
}

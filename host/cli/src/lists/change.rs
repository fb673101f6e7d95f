//! What is odd about a change of lists as a whole: findings that need both sides. Not for what is wrong with a list by
//! itself; `lint` has that.

use std::time::Duration;

use crate::text;

/// Share of a list, in percent, beyond which a change of its size is more often an accident than meant.
const SIZE_PERCENT_MAX: usize = 30;
/// Lists with fewer terms may change as they like.
const SIZE_TERMS_MIN: usize = 20;
/// How much slower a change may make the scan, in percent.
const TIME_PERCENT_MAX: u128 = 20;
/// A scan of less than this is not told from noise.
const TIME_MIN: Duration = Duration::from_millis(2);

/// A list that shrinks or grows a great deal: half a file, or a file twice.
pub(super) fn size(list: &str, was: usize, is: usize) -> Option<String> {
    let is_much = was.max(is) >= SIZE_TERMS_MIN && was.abs_diff(is) * 100 > was * SIZE_PERCENT_MAX;
    is_much.then(|| {
        let (was, is) = (text::count(was as u64), text::count(is as u64));
        format!("warning[T015]: {list} had {was} terms and has {is}\n  = help: look whether the file is whole")
    })
}

/// Lists that make the scan of the same messages slower.
pub(super) fn time(was: Duration, is: Duration) -> Option<String> {
    let is_much = is >= TIME_MIN && is.as_nanos() * 100 > was.as_nanos() * (100 + TIME_PERCENT_MAX);
    is_much.then(|| {
        let percent = (is.as_nanos() * 100 / was.as_nanos().max(1)).saturating_sub(100);
        format!(
            "warning[T070]: the scan of these messages takes {percent} % longer\n  = help: run it again to be sure; terms of \
             common words, `re:` and `variants = \"aggressive\"` cost most"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_change_by_a_third_of_its_size_and_not_more() {
        assert_eq!(
            size("en.custom", 1000, 699).as_deref(),
            Some("warning[T015]: en.custom had 1,000 terms and has 699\n  = help: look whether the file is whole")
        );
        assert!(size("en.custom", 20, 41).is_some());
        assert_eq!((size("en.custom", 1000, 700), size("en.custom", 4, 19)), (None, None));
    }

    #[test]
    fn a_scan_may_take_a_fifth_longer_and_not_more() {
        let ms = Duration::from_millis;
        assert_eq!(
            time(ms(100), ms(150)).as_deref(),
            Some(
                "warning[T070]: the scan of these messages takes 50 % longer\n  = help: run it again to be sure; terms of \
                 common words, `re:` and `variants = \"aggressive\"` cost most"
            )
        );
        assert_eq!((time(ms(100), ms(120)), time(ms(100), ms(50)), time(Duration::ZERO, ms(1))), (None, None, None));
    }
}

//! Where real portals differ or nobody knows: one switch each, and the profiles that set them all. Decides nothing.

use super::config::Drain;
use std::time::Duration;

/// How exactly the portal behaves where sources disagree. The default is [`Profile::Strict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Everything as documented.
    Strict,
    /// Values seen on live portals and in the official SDKs.
    Observed,
    /// Every switch at random, the same for the same seed.
    Hostile(u64),
}

impl Profile {
    /// `strict`, `observed`, or `hostile` with its seed.
    #[must_use]
    pub fn named(name: &str, seed: u64) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "observed" => Some(Self::Observed),
            "hostile" => Some(Self::Hostile(seed)),
            _ => None,
        }
    }
}

/// How `OPERATION_TIME_LIMIT` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As one-minute buckets drop out of the last ten.
    Sliding,
    /// After 300 seconds, with empty buckets.
    Ban300,
    /// After 600 seconds, with empty buckets.
    Fixed600,
}

/// The answer to a token request with a wrong client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongClient {
    /// 400 `invalid_client`.
    Status400,
    /// 401 `invalid_client`.
    Status401,
    /// 200 with `WRONG_CLIENT` in the body.
    Status200,
}

/// The switches, one for each point on which portals differ.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Knobs {
    /// The REST revision that `Revision.get` tells. Nothing else follows from it.
    pub revision: u32,
    /// Empty maps are written as `[]`, because the real portal is PHP.
    pub empty_maps_are_lists: bool,
    /// 403 instead of 400 for `ACCESS_DENIED`, `BOT_OWNERSHIP_ERROR`, `BOT_TYPE_NOT_ALLOWED`, `MESSAGE_ACCESS_DENIED`.
    pub forbidden_is_403: bool,
    /// Descriptions of method errors end in ` (CODE).`
    pub description_suffix: bool,
    /// An unknown webhook is 403 `INVALID_CREDENTIALS` instead of 401 `NO_AUTH_FOUND`.
    pub invalid_credentials: bool,
    /// An unknown token is 401 `invalid_token` instead of `NO_AUTH_FOUND`.
    pub invalid_token: bool,
    /// The status of `insufficient_scope`.
    pub scope_status: u16,
    /// The status of `PORTAL_DELETED`.
    pub deleted_status: u16,
    /// The status of `QUERY_LIMIT_EXCEEDED`.
    pub limit_status: u16,
    /// Seconds in a `Retry-After` of `QUERY_LIMIT_EXCEEDED`.
    pub retry_after: Option<u32>,
    /// `QUERY_LIMIT_EXCEEDED` comes as a page.
    pub limit_page: bool,
    /// A refused request raises the counter as well.
    pub refusals_count: bool,
    /// How the request counter falls; `None`: as the configuration says.
    pub drain: Option<Drain>,
    /// Answers tell `operating`, as in the cloud.
    pub operating_told: bool,
    /// How a method blocked for its operating time comes free.
    pub release: Release,
    /// What the outer `batch` adds to its own operating time, as a share of its commands' time in percent.
    pub batch_weight: u32,
    /// A request over 60 s ends in 504 instead of a cut connection.
    pub gateway_timeout: bool,
    /// PHP's `max_input_vars` inside a batch command.
    pub batch_variables: usize,
    /// `templateId` is ignored.
    pub ignore_template: bool,
    /// A too large attachment is `ATTACH_ERROR` instead of `ATTACH_OVERSIZE`.
    pub oversize_is_error: bool,
    /// A `botToken` over 40 characters is refused.
    pub token_length: bool,
    /// Webhook addresses need no dot in their host.
    pub local_callbacks: bool,
    /// How long a command may be answered.
    pub grant_life: Duration,
    /// `Command.register` takes its parameters without `fields`.
    pub flat_commands: bool,
    /// `ONIMBOTV2DELETE` is sent before a bot is gone.
    pub delete_event: bool,
    /// `Chat.add` with a bot raises `ONIMBOTV2JOINCHAT`.
    pub join_on_add: bool,
    /// An unknown `filter.type` of `Bot.list` lists everything instead of nothing.
    pub unknown_filter_lists_all: bool,
    /// A refresh token works a second time.
    pub refresh_reuse: bool,
    /// What a wrong client gets.
    pub wrong_client: WrongClient,
    /// Null is `key=` in a form body instead of nothing.
    pub null_is_empty: bool,
    /// An empty array is `key=` in a form body instead of nothing.
    pub empty_is_key: bool,
    /// A handler slower than this gets pauses.
    pub slow_handler: Duration,
    /// Each event is posted up to this much later, whatever happened to its bot in between, as if it waited in a queue.
    pub event_delay: Duration,
    /// For so long after its mode was changed a bot's events go both ways: posted, and into the queue.
    pub both_ways: Duration,
    /// Seconds by which the dates of queued events are ahead of the `ts` of posted ones; below 0: behind.
    pub queue_clock: i64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            revision: 36,
            empty_maps_are_lists: true,
            forbidden_is_403: false,
            description_suffix: false,
            invalid_credentials: false,
            invalid_token: false,
            scope_status: 403,
            deleted_status: 500,
            limit_status: 503,
            retry_after: None,
            limit_page: false,
            refusals_count: false,
            drain: None,
            operating_told: true,
            release: Release::Sliding,
            batch_weight: 0,
            gateway_timeout: false,
            batch_variables: 1000,
            ignore_template: false,
            oversize_is_error: false,
            token_length: true,
            local_callbacks: false,
            grant_life: Duration::from_secs(24 * 3600),
            flat_commands: true,
            delete_event: true,
            join_on_add: true,
            unknown_filter_lists_all: false,
            refresh_reuse: true,
            wrong_client: WrongClient::Status400,
            null_is_empty: false,
            empty_is_key: false,
            slow_handler: Duration::from_secs(5),
            event_delay: Duration::ZERO,
            both_ways: Duration::ZERO,
            queue_clock: 0,
        }
    }
}

impl Knobs {
    /// The switches of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Strict => Self::default(),
            Profile::Observed => Self {
                description_suffix: true,
                invalid_credentials: true,
                invalid_token: true,
                scope_status: 401,
                deleted_status: 403,
                drain: Some(Drain::Continuous),
                release: Release::Ban300,
                batch_weight: 50,
                oversize_is_error: true,
                unknown_filter_lists_all: true,
                ..Self::default()
            },
            Profile::Hostile(seed) => Self::hostile(&mut Dice(seed)),
        }
    }

    fn hostile(dice: &mut Dice) -> Self {
        Self {
            empty_maps_are_lists: dice.toss(),
            forbidden_is_403: dice.toss(),
            description_suffix: dice.toss(),
            invalid_credentials: dice.toss(),
            invalid_token: dice.toss(),
            scope_status: dice.one_of([403, 401]),
            deleted_status: dice.one_of([500, 403, 410]),
            limit_status: dice.one_of([503, 429]),
            retry_after: dice.one_of([None, Some(1), Some(7)]),
            limit_page: dice.toss(),
            refusals_count: dice.toss(),
            drain: Some(dice.one_of([Drain::Step, Drain::Continuous])),
            operating_told: dice.toss(),
            release: dice.one_of([Release::Sliding, Release::Ban300, Release::Fixed600]),
            batch_weight: dice.one_of([0, 50]),
            gateway_timeout: dice.toss(),
            oversize_is_error: dice.toss(),
            unknown_filter_lists_all: dice.toss(),
            join_on_add: dice.toss(),
            delete_event: dice.toss(),
            refresh_reuse: dice.toss(),
            wrong_client: dice.one_of([WrongClient::Status400, WrongClient::Status401, WrongClient::Status200]),
            null_is_empty: dice.toss(),
            empty_is_key: dice.toss(),
            ignore_template: dice.toss(),
            ..Self::default()
        }
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1, 1 excluded.
    pub(super) fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn toss(&mut self) -> bool {
        self.roll().is_multiple_of(2)
    }

    fn one_of<T, const N: usize>(&mut self, choices: [T; N]) -> T {
        let place = usize::try_from(self.roll() % N as u64).unwrap_or(0);
        let mut choices = choices.into_iter().skip(place);
        // `place` is below N, and no array here is empty.
        #[expect(clippy::expect_used, reason = "place < N")]
        choices.next().expect("place < N")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_portal_is_the_same_for_the_same_seed_and_differs_between_seeds() {
        let of = |seed| Knobs::of(Profile::Hostile(seed));
        assert_eq!(of(7), of(7));
        let different = (0..20).filter(|seed| of(*seed) != of(seed + 1)).count();
        assert!(different >= 19, "{different}");
    }

    #[test]
    fn observed_differs_from_strict_where_portals_were_seen_to() {
        let (strict, observed) = (Knobs::of(Profile::Strict), Knobs::of(Profile::Observed));
        assert!(!strict.invalid_credentials && observed.invalid_credentials);
        assert_eq!((strict.release, observed.release), (Release::Sliding, Release::Ban300));
    }

    #[test]
    fn dice_fall_evenly() {
        let mut dice = Dice(1);
        let low = (0..10_000).filter(|_| dice.share() < 0.25).count();
        assert!((2_300..2_700).contains(&low), "{low}");
    }
}

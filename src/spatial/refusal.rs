//! What a map does not answer: what is no question, and what would cost more than one question may.

use super::fit::FIT_LOOKS_MAX;
use super::near::NEAR_LOOKS_MAX;
use super::plane::OUTSIDE_CELLS_MAX;
use super::search::COUNT_LOOKS_MAX;
use crate::model::Invalid;

/// Why a map gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field of the question is not what it claims to be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Too many sites would have to be compared.
    #[error(
        "more than {max} sites would have to be looked at: ask for fewer, for a smaller radius, or with a filter",
        max = NEAR_LOOKS_MAX
    )]
    TooManyNear,
    /// Too many sites would have to be compared to find the outermost.
    #[error("the box around them takes more than {max} looks at a site: ask with a filter", max = FIT_LOOKS_MAX)]
    TooManyToFit,
    /// Too many sites would have to be counted one by one.
    #[error(
        "counting them takes more than {max} looks along the edge of the box: ask for another box, or with a filter",
        max = COUNT_LOOKS_MAX
    )]
    TooManyToCount,
    /// What is drawn depends on too much that lies around.
    #[error(
        "what is drawn there depends on more than {max} cells around it: ask at another zoom, or with a filter",
        max = OUTSIDE_CELLS_MAX
    )]
    TooFarReaching,
}

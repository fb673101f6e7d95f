//! Errors as the wrappers read them.

use std::fmt::Display;

use wasm_bindgen::JsValue;

/// An error that the wrapper reads as `code` and `message`.
pub(crate) fn error(code: &str, message: impl Display) -> JsValue {
    JsValue::from_str(&format!("{code}: {message}"))
}

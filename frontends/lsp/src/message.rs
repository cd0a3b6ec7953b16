//! Messages of JSON-RPC.

use serde_json::{Value, json};

/// A message, either way.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// A number or a string.
        id: Value,
        /// What is wanted.
        method: String,
        /// Of what.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: String,
        /// To what.
        params: Value,
    },
    /// An answer.
    Response {
        /// The request's.
        id: Value,
        /// What was wanted, or why it cannot be had.
        result: Result<Value, Failure>,
    },
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A number of JSON-RPC or of the protocol.
    pub code: i64,
    /// A sentence.
    pub message: String,
}

impl Failure {
    /// What was sent is no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters are not those of the method.
    pub const INVALID_PARAMS: i64 = -32602;
    /// A request before `initialize`.
    pub const NOT_INITIALIZED: i64 = -32002;
    /// The client does not want it any more.
    pub const CANCELLED: i64 = -32800;
    /// What was asked cannot be done, through no fault of the server.
    pub const REQUEST_FAILED: i64 = -32803;
}

impl Message {
    /// Reads a message; `None` if it is none.
    pub fn from_json(mut value: Value) -> Option<Self> {
        let params = value.get_mut("params").map(Value::take).unwrap_or_default();
        let id = value.get("id").filter(|id| id.is_number() || id.is_string()).cloned();
        match (value.get("method").and_then(Value::as_str), id) {
            (Some(method), Some(id)) => Some(Message::Request { id, method: method.to_owned(), params }),
            (Some(method), None) => Some(Message::Notification { method: method.to_owned(), params }),
            (None, Some(id)) => {
                let result = match value.get("error") {
                    Some(error) => Err(Failure {
                        code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
                        message: error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    }),
                    None => Ok(value.get_mut("result").map(Value::take).unwrap_or_default()),
                };
                Some(Message::Response { id, result })
            }
            (None, None) => None,
        }
    }

    /// Writes a message.
    pub fn into_json(self) -> Value {
        let version = ("jsonrpc", "2.0".into());
        match self {
            Message::Request { id, method, params } => {
                object([version, ("id", id), ("method", method.into()), ("params", params)])
            }
            Message::Notification { method, params } => {
                object([version, ("method", method.into()), ("params", params)])
            }
            Message::Response { id, result: Ok(result) } => object([version, ("id", id), ("result", result)]),
            Message::Response { id, result: Err(Failure { code, message }) } => {
                object([version, ("id", id), ("error", json!({"code": code, "message": message}))])
            }
        }
    }
}

/// An object of values, which are moved: `json!` copies what it is given, which for large answers costs most of the time.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

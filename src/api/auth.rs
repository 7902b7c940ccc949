//! Who may do what: Bearer tokens with one of three roles. The configuration holds only the tokens' SHA-256, so whoever reads
//! it cannot use them.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, ORIGIN};
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Api;
use super::error::Problem;

/// What a token allows; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Starts, commits and voids.
    Operator,
    /// Settles uncertain sessions and manages terminals.
    Admin,
}

impl Role {
    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Why a text is not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is \"viewer\", \"operator\" or \"admin\"")]
pub struct RoleError;

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// A token as the configuration knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is; journaled with what they decide.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The name of everybody when there are no tokens.
const LOCAL: &str = "local";

/// All tokens; others may take their place at any time, and nobody's connection is lost for it.
#[derive(Debug, Default)]
pub struct Tokens(RwLock<Vec<Token>>);

/// Proof that whoever asks has at least the role `L`. A handler takes it as its first argument.
pub(super) struct By<L> {
    /// The name of the token.
    pub(super) name: String,
    least: PhantomData<L>,
}

/// A role as a type.
pub(super) trait Least: 'static {
    /// Which.
    const ROLE: Role;
}

/// At least a viewer.
pub(super) struct Viewer;
/// At least an operator.
pub(super) struct Operator;
/// An admin.
pub(super) struct Admin;

impl Least for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl Least for Operator {
    const ROLE: Role = Role::Operator;
}
impl Least for Admin {
    const ROLE: Role = Role::Admin;
}

impl<L: Least> FromRequest for By<L> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(name_of(request, L::ROLE).map(|name| Self { name, least: PhantomData }))
    }
}

/// Proof that whoever asks may read the page at `/`. A browser cannot be told to send a Bearer token, so there the token is the
/// password of any user name, too. For this page only: nothing can be changed on it, so no other site can misuse that the
/// browser remembers it.
pub(super) struct Guest;

impl FromRequest for Guest {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(guest(request).map_err(Problem::asking_for_password))
    }
}

fn guest(request: &HttpRequest) -> Result<Guest, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let password = header.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let (Some((_, encoded)), Some(api)) = (password, request.app_data::<web::Data<Api>>()) else {
        return name_of(request, Role::Viewer).map(|_| Guest);
    };
    let decoded = BASE64.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let password = decoded.as_deref().and_then(|text| text.split_once(':')).map(|(_, password)| password);
    // Every role may read.
    match password.and_then(|password| api.live.tokens.find(password)) {
        Some(_) => Ok(Guest),
        None if api.live.tokens.is_empty() => Ok(Guest),
        None => Err(Problem::unauthorised("nobody has this token")),
    }
}

fn name_of(request: &HttpRequest, least: Role) -> Result<String, Problem> {
    let Some(api) = request.app_data::<web::Data<Api>>() else {
        return Err(Problem::unauthorised("nobody can be recognised here"));
    };
    if api.live.tokens.is_empty() {
        // Any web page can make its reader's browser send a POST to a loopback address, but not without this header.
        if request.headers().contains_key(ORIGIN) {
            return Err(Problem::forbidden("web pages may not use this API, since it is open to this machine without tokens"));
        }
        return Ok(LOCAL.to_owned());
    }
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .ok_or_else(|| Problem::unauthorised("an Authorization header with a Bearer token is expected, but there is none"))?;
    let presented =
        header.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, presented)) = presented else {
        return Err(Problem::unauthorised("the Authorization header is expected to be \"Bearer TOKEN\", but it is not"));
    };
    let token = api.live.tokens.find(presented.trim()).ok_or_else(|| Problem::unauthorised("nobody has this token"))?;
    if token.role < least {
        let (name, role, least) = (&token.name, token.role.as_str(), least.as_str());
        return Err(Problem::forbidden(format!("this needs the role {least}, but {name} is {role}")));
    }
    Ok(token.name.clone())
}

impl Tokens {
    /// These.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(RwLock::new(tokens))
    }

    /// These, from the next request on.
    pub fn replace(&self, tokens: Vec<Token>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    fn all(&self) -> RwLockReadGuard<'_, Vec<Token>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose token it is. Looks at every token to its end, so that the time taken tells nothing.
    fn find(&self, presented: &str) -> Option<Token> {
        let tokens = self.all();
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut found = u64::MAX;
        for (place, token) in (0_u64..).zip(tokens.iter()) {
            let same: Choice = token.sha256.ct_eq(&digest);
            found.conditional_assign(&place, same);
        }
        usize::try_from(found).ok().and_then(|place| tokens.get(place).cloned())
    }
}

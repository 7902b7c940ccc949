//! What can be asked of which path. A handler is registered together with its description, which `#[utoipa::path]` makes beside it
//! (`__path_open` of `open`), and path and method are taken from there: nothing is served that is not described, except what is
//! only for browsers, and nothing is described that is not served.

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use utoipa::__dev::SchemaReferences;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};

use super::error::Problem;

/// Everything that is served.
#[derive(Default)]
pub(super) struct Routes(Vec<Resource>);

/// One path.
struct Resource {
    path: String,
    verbs: Vec<(Method, Route)>,
    descriptions: Vec<(HttpMethod, Operation)>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// What the description says of one path and method.
pub(super) struct Described {
    pub(super) path: String,
    pub(super) method: HttpMethod,
    pub(super) operation: Operation,
}

impl Routes {
    /// Serves what is described here by this handler. What can be read by GET can be asked about by HEAD.
    pub(super) fn serve<D, F, Args>(&mut self, _description: D, handler: F) -> &mut Self
    where
        D: utoipa::Path + SchemaReferences,
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let path = D::path();
        // Each of our handlers has one method.
        for method in D::methods() {
            let resource = self.at(&path);
            resource.verbs.push(verb(&method, handler.clone()));
            resource.descriptions.push((method, D::operation()));
        }
        D::schemas(&mut self.at(&path).schemas);
        self
    }

    /// Serves what is for browsers alone, and therefore not described.
    pub(super) fn page<F, Args>(&mut self, path: &str, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.at(path).verbs.push(verb(&HttpMethod::Get, handler));
        self
    }

    /// What is said of all of it, and of the types that it names.
    pub(super) fn described(self) -> (Vec<Described>, Vec<(String, RefOr<Schema>)>) {
        let (mut described, mut schemas) = (Vec::new(), Vec::new());
        for Resource { path, descriptions, schemas: named, .. } in self.0 {
            let operations = descriptions.into_iter();
            described.extend(operations.map(|(method, operation)| Described { path: path.clone(), method, operation }));
            schemas.extend(named);
        }
        (described, schemas)
    }

    fn at(&mut self, path: &str) -> &mut Resource {
        let place = self.0.iter().position(|resource| resource.path == path).unwrap_or(self.0.len());
        if place == self.0.len() {
            let (verbs, descriptions, schemas) = (Vec::new(), Vec::new(), Vec::new());
            self.0.push(Resource { path: path.to_owned(), verbs, descriptions, schemas });
        }
        &mut self.0[place]
    }
}

fn verb<F, Args>(method: &HttpMethod, handler: F) -> (Method, Route)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let method = match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    };
    let wanted = method.clone();
    let asked = move |context: &GuardContext<'_>| {
        let method = &context.head().method;
        *method == wanted || (*method == Method::HEAD && wanted == Method::GET)
    };
    (method, Route::new().guard(fn_guard(asked)).to(handler))
}

impl HttpServiceFactory for Routes {
    fn register(self, config: &mut AppService) {
        for Resource { path, verbs, .. } in self.0 {
            let names: Vec<&str> = verbs.iter().flat_map(|(method, _)| names(method)).copied().collect();
            let allowed = names.join(", ");
            let refused = move || {
                let allowed = allowed.clone();
                async move { Problem::method_not_allowed(&allowed) }
            };
            let resource = web::resource(path).default_service(web::to(refused));
            let resource = verbs.into_iter().fold(resource, |resource, (_, route)| resource.route(route));
            resource.register(config);
        }
    }
}

/// What Allow says of a method.
fn names(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::GET => &["GET", "HEAD"],
        Method::POST => &["POST"],
        Method::PUT => &["PUT"],
        Method::DELETE => &["DELETE"],
        Method::PATCH => &["PATCH"],
        _ => &[],
    }
}

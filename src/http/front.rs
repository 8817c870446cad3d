//! The front door: what happens to every request before it is routed, and to every answer before it leaves. One middleware rather than
//! several, as each costs every request a future of its own.
//!
//! In this order: the documents that verifiers read are answered at once; the connection is marked as busy; the request gets an id and its
//! sender; its tenant is found; browsers' questions about other origins are answered; the route answers. Then the answer gets what every
//! answer has, is counted, and has its line in the log.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::HeaderValue;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};

use super::cors::Cors;
use super::documents::Documents;
use super::telemetry::{self, Observer, REQUEST_ID, Seen};
use super::{connections, headers, locate, log_format};
use crate::flows::Provider;

struct Inner {
    provider: web::Data<Provider>,
    observer: web::Data<Observer>,
    documents: Documents,
}

/// The middleware, to be the only one. Cheap to clone.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

impl Front {
    /// Before the routes of this provider.
    pub fn new(
        provider: web::Data<Provider>,
        observer: web::Data<Observer>,
        documents: Documents,
    ) -> Self {
        Self(Arc::new(Inner {
            provider,
            observer,
            documents,
        }))
    }
}

impl<S, B> Transform<S, ServiceRequest> for Front
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Door<S>;
    type InitError = ();
    type Future = Ready<Result<Door<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Door {
            front: self.clone(),
            service: Rc::new(service),
        }))
    }
}

/// The front door of one worker.
pub struct Door<S> {
    front: Front,
    service: Rc<S>,
}

type Answer<B> = Result<ServiceResponse<EitherBody<B, BoxBody>>, Error>;

impl<S, B> Service<ServiceRequest> for Door<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Either<Ready<Answer<B>>, LocalBoxFuture<'static, Answer<B>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(response) = self.front.0.documents.answer(&request) {
            let response = request.into_response(response).map_into_right_body();
            return Either::Left(ready(Ok(response)));
        }
        let (front, service) = (self.front.clone(), Rc::clone(&self.service));
        Either::Right(Box::pin(
            async move { front.pass(&*service, request).await },
        ))
    }
}

impl Front {
    async fn pass<S, B>(&self, service: &S, request: ServiceRequest) -> Answer<B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    {
        let started = Instant::now();
        let running = connections::begin(&request);
        let observer = &self.0.observer;
        let client = observer.client(&request);
        let id = observer.request_id(&request, &client);
        let seen = Seen::new(client, id.clone());
        let address = Rc::clone(seen.address());
        request.extensions_mut().insert(seen);
        let method = request.method().clone();
        let answer = pin!(self.answer(service, request));
        let mut result = log_format::within(id.shared(), answer).await;
        if let Ok(response) = &mut result {
            headers::protect(response, self.0.provider.config.public_url.is_https());
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
        }
        telemetry::observed(observer, &method, (&id, &address), started, &result);
        drop(running);
        result
    }

    async fn answer<S, B>(&self, service: &S, mut request: ServiceRequest) -> Answer<B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    {
        let provider = &*self.0.provider;
        if let Err(error) = locate::locate(provider, &mut request).await {
            return Ok(locate::refuse(request, error).map_into_right_body());
        }
        let cors = Cors::of(provider, &request).await;
        let mut response = if cors.preflight {
            request
                .into_response(HttpResponse::NoContent().finish())
                .map_into_right_body()
        } else {
            service.call(request).await?.map_into_left_body()
        };
        cors.tell(response.headers_mut());
        Ok(response)
    }
}

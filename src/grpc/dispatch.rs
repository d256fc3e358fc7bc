//! From the calls of a service to the functions that answer them.

/// The calls of a service by name, each with the function of `Front` that it is passed to.
macro_rules! calls {
    ($service:ident: $($name:ident: $function:ident($request:ident) -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl $service for $crate::grpc::Front {
            $(async fn $name(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                let info = Self::info(&request)?;
                let answer = self.$function(&info, request.into_inner()).await?;
                Ok(tonic::Response::new(answer))
            })*
        }
    };
}

//! What somebody else's server answers: never more of it is held than the caller has room for.

use reqwest::{Error, Response};

/// The body of an answer; none when it is larger than `most` bytes, of which no more are read then.
///
/// # Errors
/// When the connection ends before the body does, or the time is over.
pub async fn bounded(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound_and_not_beyond() {
        let answer = |body: &'static str| Response::from(axum::http::Response::new(body));
        for (body, most, read) in [
            ("", 0, Some("")),
            ("four", 4, Some("four")),
            ("four", 3, None),
        ] {
            let found = bounded(answer(body), most).await.unwrap();
            assert_eq!(found.as_deref(), read.map(str::as_bytes), "{body} {most}");
        }
    }
}

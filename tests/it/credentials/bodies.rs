//! Credentials from the container and the instance, whose responses never end.

use super::{REFUSED, scenario, with};
use crate::process::{Endless, Setup, Simulated};

#[tokio::test]
async fn response_with_credentials_that_never_ends_is_cut() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    for variable in [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ] {
        let simulated = Simulated::start(scenario()).await;
        let source = Endless::start(head).await;
        let config = with(&simulated, "labels: {team: a}");
        let setup = Setup::exporter(&config).without_credentials();
        let setup = setup
            .without_env("AWS_EC2_METADATA_DISABLED")
            .env(variable, &source.url);
        let exporter = setup.start().await;
        let cut = "the body of the response is longer than 16777216 bytes";
        exporter.until_line(&["result=credentials", cut]).await;
        let scrape = exporter.until_over(REFUSED, 1.0).await;
        let resident = scrape.value("process_resident_memory_bytes{}").unwrap();
        assert!(resident < 150e6, "{variable}: {resident} bytes");
    }
}

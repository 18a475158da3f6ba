//! The names of our own labels, each declared once.

macro_rules! names {
    ($($name:ident = $text:literal,)+) => {
        $(pub const $name: &str = $text;)+

        /// Label names that a configuration may not use: every one of ours, also of metrics still
        /// to come, and those that Prometheus gives a meaning.
        pub const RESERVED: &[&str] = &["instance", "job", "le", "quantile", $($text),+];
    };
}

names! {
    ACCOUNT_ID = "account_id",
    ACTION = "action",
    IMAGE = "image",
    IMAGE_BUILD_VERSION_ARN = "image_build_version_arn",
    IMAGE_VERSION = "image_version",
    MESSAGE = "message",
    ON_FAILURE = "on_failure",
    REGION = "region",
    STATUS = "status",
    STEP = "step",
    STEP_EXECUTION_ID = "step_execution_id",
    TARGET = "target",
    WORKFLOW = "workflow",
    WORKFLOW_BUILD_VERSION_ARN = "workflow_build_version_arn",
    WORKFLOW_EXECUTION_ID = "workflow_execution_id",
    WORKFLOW_TYPE = "workflow_type",
    WORKFLOW_VERSION = "workflow_version",
    AMI_ID = "ami_id",
    BUILD_TYPE = "build_type",
    CAUSE = "cause",
    COMPONENT = "component",
    COMPONENT_ACTION = "component_action",
    COMPONENT_STEP = "component_step",
    CONFIGURATION_STEP = "configuration_step",
    FAILED_STEP = "failed_step",
    OUTPUT_ACCOUNT_ID = "output_account_id",
    OUTPUT_REGION = "output_region",
    PARALLEL_GROUP = "parallel_group",
    PHASE = "phase",
    PIPELINE = "pipeline",
    PLATFORM = "platform",
    RESULT = "result",
    SCHEDULE = "schedule",
    STAGE = "stage",
    TARGET_ACCOUNT_ID = "target_account_id",
    TARGET_REGION = "target_region",
    TYPE = "type",
    FIELD = "field",
    SUBSYSTEM = "subsystem",
    KIND = "kind",
    OPERATION = "operation",
    REVISION = "revision",
    RUSTC_VERSION = "rustc_version",
    SELECTOR = "selector",
    SHARD = "shard",
    STATE = "state",
    VERSION = "version",
}

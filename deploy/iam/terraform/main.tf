# The role that imagebuilder_exporter assumes to read EC2 Image Builder in this account.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  statement {
    # EKS Pod Identity tags its sessions, and the tags come along with the request.
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [var.trusted_principal_arn]
    }

    dynamic "condition" {
      for_each = var.external_id == "" ? [] : [var.external_id]

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

# The same as ../policy.json, which a test holds it to; written out, so that the module can be copied
# without what is beside it.
data "aws_iam_policy_document" "read" {
  statement {
    sid       = "FindPipelinesAndImages"
    actions   = ["imagebuilder:ListImageBuildVersions", "imagebuilder:ListImagePipelines"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadImages"
    actions   = ["imagebuilder:GetImage", "imagebuilder:ListWorkflowExecutions"]
    resources = ["arn:${data.aws_partition.current.partition}:imagebuilder:*:*:image/*"]
  }

  statement {
    sid       = "ReadWorkflowExecutions"
    actions   = ["imagebuilder:GetWorkflowExecution", "imagebuilder:ListWorkflowStepExecutions"]
    resources = ["arn:${data.aws_partition.current.partition}:imagebuilder:*:*:workflow-execution/*"]
  }

  statement {
    sid       = "ReadStepExecutions"
    actions   = ["imagebuilder:GetWorkflowStepExecution"]
    resources = ["arn:${data.aws_partition.current.partition}:imagebuilder:*:*:workflow-step-execution/*"]
  }
}

resource "aws_iam_role" "exporter" {
  name               = var.role_name
  description        = "Lets imagebuilder_exporter read EC2 Image Builder"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "read" {
  name   = "imagebuilder-exporter"
  role   = aws_iam_role.exporter.id
  policy = data.aws_iam_policy_document.read.json
}

variable "trusted_principal_arn" {
  description = "Who may assume the role, such as the role that the exporter runs with."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]+)$", var.trusted_principal_arn))
    error_message = "This has to be the ARN of a role or a user, or an account's root."
  }
}

variable "external_id" {
  description = "What has to come with the request; targets[].assume_role.external_id of the exporter's configuration. Empty: nothing has to."
  type        = string
  default     = ""

  validation {
    # A repetition of 1224, which CloudFormation's template asks for, is too long for Terraform.
    condition     = can(regex("^([A-Za-z0-9+=,.@:/_-]{2,})?$", var.external_id)) && length(var.external_id) <= 1224
    error_message = "This has to be 2 to 1224 letters, digits and + = , . @ : / _ -, or nothing."
  }
}

variable "role_name" {
  description = "The role's name, the same in every account."
  type        = string
  default     = "imagebuilder-exporter"

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.role_name))
    error_message = "This has to be 1 to 64 letters, digits and + = , . @ _ -."
  }
}

output "role_arn" {
  description = "For targets[].assume_role.role_arn of the exporter's configuration."
  value       = aws_iam_role.exporter.arn
}

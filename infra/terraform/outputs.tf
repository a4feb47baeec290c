output "balancer_name" {
  description = "What the domain's DNS record is to point at (CNAME, or an alias)."
  value       = aws_lb.this.dns_name
}

output "database_instance" {
  description = "RDS_INSTANCE of the rds-* scripts, with prod PROD_RDS_INSTANCE."
  value       = aws_db_instance.this.identifier
}

output "database_address" {
  description = "The host of the database, for the URLs in the two secrets."
  value       = aws_db_instance.this.address
}

output "database_security_group" {
  description = "DB_SG_ID of rds-update-sg-rule, and of rds-create."
  value       = aws_security_group.database.id
}

output "database_subnet_group" {
  description = "DB_SUBNET_GROUP of rds-create."
  value       = aws_db_subnet_group.this.name
}

output "service_secret" {
  description = "The secret that gets the URL of the login cruddur."
  value       = aws_secretsmanager_secret.service.arn
}

output "confirm_secret" {
  description = "The secret that gets the URL of the login cruddur_hook."
  value       = aws_secretsmanager_secret.confirm.arn
}

output "confirm_function" {
  description = "The name of the post-confirmation function."
  value       = aws_lambda_function.confirm.function_name
}

output "confirm_log_group" {
  description = "Where the function logs."
  value       = aws_cloudwatch_log_group.confirm.name
}

output "autoscaling_group" {
  description = "The group of the machines with nginx and cruddurd."
  value       = aws_autoscaling_group.service.name
}

output "user_pool" {
  description = "AWS_COGNITO_USER_POOL_ID."
  value       = aws_cognito_user_pool.this.id
}

output "user_pool_client" {
  description = "AWS_COGNITO_USER_POOL_CLIENT_ID."
  value       = aws_cognito_user_pool_client.web.id
}

output "sign_in_page" {
  description = "Cognito's own pages of sign-up and sign-in."
  value       = "https://${aws_cognito_user_pool_domain.this.domain}.auth.${var.region}.amazoncognito.com"
}

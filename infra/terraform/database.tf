# PostgreSQL without a public address. Secrets Manager makes the master user's password and replaces it every seven days; the
# password is not in Terraform's state. The service and the function have logins of their own (bin/db-roles), whose URLs an operator puts into
# the two secrets below.

locals {
  database_port = 5432
  database_name = "${var.name}-db-instance" # RDS_INSTANCE of the rds-* scripts
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-private"
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "postgres${var.database_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Statements that take longer than this, in ms, are logged, without the values of their parameters.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  identifier     = local.database_name
  engine         = "postgres"
  engine_version = var.database_version
  instance_class = var.database_class
  port           = local.database_port
  multi_az       = var.database_multi_az

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = var.database_storage
  max_allocated_storage = 5 * var.database_storage

  username                            = "cruddurroot"
  manage_master_user_password         = true
  iam_database_authentication_enabled = true
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.this.name

  backup_retention_period    = 7
  copy_tags_to_snapshot      = true
  deletion_protection        = true
  skip_final_snapshot        = false
  final_snapshot_identifier  = "${var.name}-final"
  auto_minor_version_upgrade = true

  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    # RDS upgrades the minor version.
    ignore_changes = [engine_version]
  }
}

# Seven days is RDS's own default; here it is explicit.
resource "aws_secretsmanager_secret_rotation" "master" {
  secret_id = aws_db_instance.this.master_user_secret[0].secret_arn

  rotation_rules {
    automatically_after_days = 7
  }
}

resource "aws_secretsmanager_secret" "service" {
  name_prefix = "${var.name}/service-url-"
  description = "The URL of the login cruddur, for cruddurd"
}

resource "aws_secretsmanager_secret" "confirm" {
  name_prefix = "${var.name}/confirm-url-"
  description = "The URL of the login cruddur_hook, for the post-confirmation function"
}

# Each group says from which other group it may be reached, so that no rule names an address but that of the whole internet.

resource "aws_security_group" "balancer" {
  name_prefix = "${var.name}-balancer-"
  description = "The load balancer, from the internet"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "service" {
  name_prefix = "${var.name}-service-"
  description = "nginx and cruddurd, from the balancer"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "confirm" {
  name_prefix = "${var.name}-confirm-"
  description = "The post-confirmation function, from nowhere"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "secrets" {
  name_prefix = "${var.name}-secrets-"
  description = "The endpoint of Secrets Manager, from the function and the service"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "database" {
  name_prefix = "${var.name}-database-"
  description = "PostgreSQL, from the service and the function"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.balancer.id
  description       = "HTTP and HTTPS from everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

resource "aws_vpc_security_group_egress_rule" "balancer_to_service" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.service.id
  ip_protocol                  = "tcp"
  from_port                    = local.service_port
  to_port                      = local.service_port
}

resource "aws_vpc_security_group_ingress_rule" "service_from_balancer" {
  security_group_id            = aws_security_group.service.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.service_port
  to_port                      = local.service_port
}

# For Debian's packages, the keys of the user pool, and AWS itself.
resource "aws_vpc_security_group_egress_rule" "service_to_internet" {
  for_each = toset(["80", "443"])

  security_group_id = aws_security_group.service.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

locals {
  # The groups that may reach the database.
  clients = {
    service = aws_security_group.service.id
    confirm = aws_security_group.confirm.id
  }
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = local.clients

  security_group_id            = each.value
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.clients

  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

resource "aws_vpc_security_group_egress_rule" "confirm_to_secrets" {
  security_group_id            = aws_security_group.confirm.id
  referenced_security_group_id = aws_security_group.secrets.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "secrets" {
  for_each = local.clients

  security_group_id            = aws_security_group.secrets.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

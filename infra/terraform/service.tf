# nginx and cruddurd on Debian, behind a balancer that has the certificate. The machines take connections from the balancer alone; an
# operator reaches them by Session Manager, without SSH. A machine that does not answer /livez is replaced.

locals {
  service_port = 8000
}

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"] # Debian's account

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

data "aws_iam_policy_document" "ec2_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "service" {
  statement {
    sid       = "Secret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.service.arn]
  }

  statement {
    sid       = "Package"
    actions   = ["s3:GetObject"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.package_bucket}/${var.package_key}"]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.service.arn}:*"]
  }
}

resource "aws_iam_role" "service" {
  name_prefix        = "${var.name}-service-"
  assume_role_policy = data.aws_iam_policy_document.ec2_assumes.json
}

resource "aws_iam_role_policy" "service" {
  role   = aws_iam_role.service.id
  policy = data.aws_iam_policy_document.service.json
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.service.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "service" {
  name_prefix = "${var.name}-service-"
  role        = aws_iam_role.service.name
}

resource "aws_launch_template" "service" {
  name_prefix            = "${var.name}-"
  image_id               = data.aws_ami.debian.id
  instance_type          = var.instance_type
  update_default_version = true

  user_data = base64encode(templatefile("${path.module}/bootstrap.sh.tftpl", {
    region         = var.region
    domain         = var.domain
    cidr           = var.cidr
    port           = local.service_port
    package        = "s3://${var.package_bucket}/${var.package_key}"
    secret         = aws_secretsmanager_secret.service.arn
    user_pool      = aws_cognito_user_pool.this.id
    client         = aws_cognito_user_pool_client.web.id
    sign_in_origin = "https://${aws_cognito_user_pool_domain.this.domain}.auth.${var.region}.amazoncognito.com"
    log_group      = aws_cloudwatch_log_group.service.name
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.service.arn
  }

  network_interfaces {
    associate_public_ip_address = true
    security_groups             = [aws_security_group.service.id]
  }

  # Only with a token, and not from a container, so that a request that a server was tricked into sending gets no credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = 10
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }
}

resource "aws_autoscaling_group" "service" {
  name_prefix               = "${var.name}-"
  min_size                  = var.instances
  max_size                  = var.instances + 1
  desired_capacity          = var.instances
  vpc_zone_identifier       = aws_subnet.public[*].id
  target_group_arns         = [aws_lb_target_group.service.arn]
  health_check_type         = var.database_ready ? "ELB" : "EC2"
  health_check_grace_period = 300

  launch_template {
    id      = aws_launch_template.service.id
    version = aws_launch_template.service.latest_version
  }

  # After a change of the package or a setting a new machine is ready before an old one goes.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
    }
  }

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }
}

resource "aws_lb" "this" {
  name                       = var.name
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.balancer.id]
  subnets                    = aws_subnet.public[*].id
  drop_invalid_header_fields = true
  enable_deletion_protection = true
  # Less than nginx's keepalive_timeout, so that nginx closes no connection on which the next request may be on its way. A stream of events
  # sends something every 15 seconds.
  idle_timeout = 50
}

resource "aws_lb_target_group" "service" {
  name                 = var.name
  vpc_id               = aws_vpc.this.id
  port                 = local.service_port
  protocol             = "HTTP"
  deregistration_delay = 30

  # Checks whether the service runs, not whether the database answers, because new machines would not help if it does not.
  health_check {
    path                = "/livez"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

# Logs with a retention time, alarms by e-mail, and a budget.

resource "aws_cloudwatch_log_group" "confirm" {
  name              = "/aws/lambda/${local.confirm_name}"
  retention_in_days = var.log_days
}

resource "aws_cloudwatch_log_group" "service" {
  name              = "/${var.name}/service"
  retention_in_days = var.log_days
}

# Without this RDS would make the group, and keep the logs for ever.
resource "aws_cloudwatch_log_group" "database" {
  name              = "/aws/rds/instance/${local.database_name}/postgresql"
  retention_in_days = var.log_days
}

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  # Each is raised when the statistic of the metric is on that side of the threshold for that many periods of five minutes.
  alarms = {
    database-cpu = {
      namespace  = "AWS/RDS"
      metric     = "CPUUtilization"
      dimensions = { DBInstanceIdentifier = aws_db_instance.this.identifier }
      statistic  = "Average"
      above      = true
      threshold  = 80
      periods    = 3
    }
    database-storage = {
      namespace  = "AWS/RDS"
      metric     = "FreeStorageSpace"
      dimensions = { DBInstanceIdentifier = aws_db_instance.this.identifier }
      statistic  = "Minimum"
      above      = false
      threshold  = 2000000000
      periods    = 1
    }
    database-memory = {
      namespace  = "AWS/RDS"
      metric     = "FreeableMemory"
      dimensions = { DBInstanceIdentifier = aws_db_instance.this.identifier }
      statistic  = "Minimum"
      above      = false
      threshold  = 64000000
      periods    = 3
    }
    confirm-errors = {
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = aws_lambda_function.confirm.function_name }
      statistic  = "Sum"
      above      = true
      threshold  = 0
      periods    = 1
    }
    # The balancer's own answers, for example when a machine closes a connection.
    balancer-errors = {
      namespace  = "AWS/ApplicationELB"
      metric     = "HTTPCode_ELB_5XX_Count"
      dimensions = { LoadBalancer = aws_lb.this.arn_suffix }
      statistic  = "Sum"
      above      = true
      threshold  = 10
      periods    = 1
    }
    service-errors = {
      namespace  = "AWS/ApplicationELB"
      metric     = "HTTPCode_Target_5XX_Count"
      dimensions = { LoadBalancer = aws_lb.this.arn_suffix }
      statistic  = "Sum"
      above      = true
      threshold  = 10
      periods    = 1
    }
    service-unhealthy = {
      namespace  = "AWS/ApplicationELB"
      metric     = "UnHealthyHostCount"
      dimensions = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = aws_lb_target_group.service.arn_suffix }
      statistic  = "Minimum"
      above      = true
      threshold  = 0
      periods    = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = [var.alarm_email]
  }
}

# The post-confirmation function, in the private subnets. It may write its own log and read its own secret. Lambda may make network
# interfaces for it; its own code may not.

data "aws_iam_policy_document" "lambda_assumes" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "confirm" {
  name_prefix        = "${var.name}-confirm-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
}

data "aws_iam_policy_document" "confirm" {
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.confirm.arn}:*"]
  }

  statement {
    sid       = "Secret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.confirm.arn]
  }

  # Lambda calls these as the function's role, before the function runs. They cannot be limited to a resource.
  statement {
    sid = "Network"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  # A call by the function's own code has this key, a call by Lambda does not.
  statement {
    sid       = "NetworkNotByTheFunction"
    effect    = "Deny"
    actions   = ["ec2:*"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = ["arn:${data.aws_partition.this.partition}:lambda:${var.region}:${data.aws_caller_identity.this.account_id}:function:${local.confirm_name}"]
    }
  }
}

resource "aws_iam_role_policy" "confirm" {
  role   = aws_iam_role.confirm.id
  policy = data.aws_iam_policy_document.confirm.json
}

locals {
  confirm_name = "${var.name}-post-confirmation"
}

resource "aws_lambda_function" "confirm" {
  function_name    = local.confirm_name
  description      = "Writes a confirmed user of the user pool into the database"
  role             = aws_iam_role.confirm.arn
  filename         = var.confirm_zip
  source_code_hash = filebase64sha256(var.confirm_zip)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = ["x86_64"]
  memory_size      = 128
  timeout          = 5 # Cognito waits no longer

  environment {
    variables = {
      DATABASE_SECRET_ARN = aws_secretsmanager_secret.confirm.arn
    }
  }

  vpc_config {
    subnet_ids         = aws_subnet.private[*].id
    security_group_ids = [aws_security_group.confirm.id]
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.confirm.name
  }

  depends_on = [aws_iam_role_policy.confirm]
}

# The console adds this by itself; without it Cognito may not call the function, and sign-ups fail.
resource "aws_lambda_permission" "cognito" {
  statement_id   = "AllowTheUserPool"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.confirm.function_name
  principal      = "cognito-idp.amazonaws.com"
  source_arn     = aws_cognito_user_pool.this.arn
  source_account = data.aws_caller_identity.this.account_id
}

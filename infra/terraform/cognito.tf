# The user pool of the bootcamp: sign-up by e-mail with a name and a handle, and the function after confirmation. The attribute
# preferred_username has the handle.

resource "aws_cognito_user_pool" "this" {
  name                     = "${var.name}-user-pool"
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  deletion_protection      = "ACTIVE"

  dynamic "schema" {
    for_each = toset(["email", "name", "preferred_username"])

    content {
      name                = schema.value
      attribute_data_type = "String"
      mutable             = true
      required            = true

      string_attribute_constraints {
        min_length = 1
        max_length = 256
      }
    }
  }

  username_configuration {
    case_sensitive = false
  }

  password_policy {
    minimum_length                   = 12
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 7
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  lambda_config {
    post_confirmation = aws_lambda_function.confirm.arn
  }

  lifecycle {
    # The schema of a pool cannot be changed. A change here would replace the pool by a new one, without the users.
    ignore_changes = [schema]
  }
}

# For a page and for the two React frontends: it has no secret, since a browser cannot keep one.
resource "aws_cognito_user_pool_client" "web" {
  name            = "${var.name}-web"
  user_pool_id    = aws_cognito_user_pool.this.id
  generate_secret = false

  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email", "profile"]
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = ["https://${var.domain}/signed-in"]
  logout_urls                          = ["https://${var.domain}/"]

  explicit_auth_flows           = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  access_token_validity         = 1
  id_token_validity             = 1
  refresh_token_validity        = 30

  token_validity_units {
    access_token  = "hours"
    id_token      = "hours"
    refresh_token = "days"
  }
}

# The pages of sign-up and sign-in, at a name that is unique in the region.
resource "aws_cognito_user_pool_domain" "this" {
  domain       = "${var.name}-${data.aws_caller_identity.this.account_id}"
  user_pool_id = aws_cognito_user_pool.this.id
}

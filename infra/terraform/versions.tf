# Cruddur on AWS: PostgreSQL on RDS, a Cognito user pool whose confirmed users a Lambda function writes into the database, and nginx
# with cruddurd on EC2 behind a load balancer. doc/aws.md has the steps around it; variables.tf says what is yours.

terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = var.name
      environment = var.environment
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_availability_zones" "available" {
  state = "available"
}

# The variables without a default are yours to set. terraform.tfvars.example has a value for each.

variable "region" {
  description = "The AWS region of everything."
  type        = string
}

variable "name" {
  description = "The first part of all names; also the tag application."
  type        = string
  default     = "cruddur"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "The name is 2 to 21 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "environment" {
  description = "production, staging or development. The rds-* scripts ask before they stop what is tagged as production."
  type        = string
  default     = "production"

  validation {
    condition     = contains(["production", "staging", "development"], var.environment)
    error_message = "The environment is production, staging or development."
  }
}

variable "domain" {
  description = "The host name of the service; its DNS record is to point at the output balancer_name."
  type        = string
}

variable "certificate_arn" {
  description = "The ACM certificate of the domain, in the same region."
  type        = string
}

variable "alarm_email" {
  description = "Where alarms and the budget's warnings go; AWS asks it to confirm."
  type        = string
}

variable "package_bucket" {
  description = "The S3 bucket with the Debian package of make deb."
  type        = string
}

variable "package_key" {
  description = "The package's key in the bucket; a new key replaces the instances one by one."
  type        = string
}

variable "confirm_zip" {
  description = "The file that make lambda makes."
  type        = string
  default     = "../../cruddur-confirm.zip"
}

variable "cidr" {
  description = "The addresses of the VPC: a /16 to /20."
  type        = string
  default     = "10.20.0.0/16"
}

variable "zones" {
  description = "In how many availability zones: RDS and the balancer need two."
  type        = number
  default     = 2

  validation {
    condition     = var.zones >= 2 && var.zones <= 4
    error_message = "Two to four zones."
  }
}

variable "database_class" {
  description = "The size of the database instance."
  type        = string
  default     = "db.t4g.micro"
}

variable "database_version" {
  description = "The major version of PostgreSQL, 15 or later; RDS takes its current minor version."
  type        = string
  default     = "17"
}

variable "database_storage" {
  description = "GB at first; RDS enlarges it up to five times that."
  type        = number
  default     = 20
}

variable "database_ready" {
  description = "False until the two secrets have their URLs: a machine without a service is not replaced then."
  type        = bool
  default     = true
}

variable "database_multi_az" {
  description = "With a standby in another zone; it doubles the price of the database."
  type        = bool
  default     = false
}

variable "instance_type" {
  description = "The size of the machines with nginx and cruddurd, of the architecture of the package (amd64)."
  type        = string
  default     = "t3.micro"
}

variable "instances" {
  description = "How many of them."
  type        = number
  default     = 1
}

variable "log_days" {
  description = "How long CloudWatch keeps logs."
  type        = number
  default     = 30
}

variable "monthly_budget" {
  description = "US dollars a month from which on AWS warns by e-mail."
  type        = number
  default     = 60
}

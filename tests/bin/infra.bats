#!/usr/bin/env bats
# infra/terraform and infra/sam: the mistakes that the checks of bin/check lint find (neither Terraform's provider nor cfn-lint is a
# Debian package), and the changes that a new machine makes to the package's nginx site.

load helpers/common
load helpers/ports

TOP=${BIN%/bin}

# mutate FILE SED-EXPRESSION: copies FILE's folder to MUTANT and changes FILE there.
mutate() {
  MUTANT=$BATS_TEST_TMPDIR/mutant
  rm -rf "$MUTANT"
  cp -r "$TOP/infra/${1%/*}" "$MUTANT"
  sed -i "$2" "$MUTANT/${1##*/}"
  run ! diff -q "$MUTANT/${1##*/}" "$TOP/infra/$1"
}

@test "the Terraform files are right, and a mistake in them is found" {
  local check=(/usr/bin/python3 -B "$TOP/tests/lint/terraform.py") arguments=$TOP/tests/infra/terraform_arguments.json file change finding
  run -0 "${check[@]}" "$TOP/infra/terraform" "$arguments"
  while IFS='|' read -r file change finding; do
    echo "$file $change"
    mutate "terraform/$file" "$change"
    run -1 "${check[@]}" "$MUTANT" "$arguments"
    [[ $output == *"$finding"* ]]
  done <<'MISTAKES'
database.tf|s/storage_encrypted/storage_encrypt/|no argument storage_encrypt
database.tf|/^  instance_class/d|instance_class is required
database.tf|s/rotation_rules/rotation_rule/|no block rotation_rule
database.tf|/rotation_rules/,/}/d|rotation_rules is required
database.tf|s/= "gp3"/= ["gp3"]/|storage_type is a list, not a string
database.tf|s/subnet_group.this.name/subnet_group.that.name/|aws_db_subnet_group.that is not defined
database.tf|s/\[0\].secret_arn/[0].secret/|master_user_secret has no secret
database.tf|s/var.database_class/var.database_size/|var.database_size is not defined
database.tf|s/var.database_multi_az/false/|var.database_multi_az is not used
database.tf|s/subnet_ids = .*/subnet_ids = [aws_db_instance.this.arn]/|a circle: aws_db_subnet_group.this
cognito.tf|s/schema.value/scheme.value/|scheme.value is not defined
cognito.tf|s/min_length = 1/min_size = 1/|no argument min_size
cognito.tf|s/"aws_cognito_user_pool" "this"/"aws_cognito_pool" "this"/|aws_cognito_pool is not in the list
confirm.tf|s/filebase64sha256/filebase65/|filebase65() is no function
security.tf|s/each.value/count.index/|count.index is not defined
service.tf|/secret  *= /d|bootstrap.sh.tftpl takes secret
bootstrap.sh.tftpl|s/{region}/{place}/|bootstrap.sh.tftpl takes place
variables.tf|0,/description/s/description.*//|variable region: description is missing
variables.tf|s/default     = 60/default = "60"/|the default is a string
terraform.tfvars.example|/^domain/d|domain is missing
observe.tf|s/^}$/}}/|is neither an argument nor a block
observe.tf|s/"AWS\/RDS"/"AWS\/RDS/|a string is not closed
versions.tf|s/data "aws_partition"/module "aws_partition"/|module is no block
MISTAKES
}

@test "terraform fmt, where there is a terraform" {
  command -v terraform >/dev/null || return 0 # it is no Debian package, so this is not a skip
  run -0 terraform fmt -check -diff "$TOP/infra/terraform"
}

@test "the SAM template is right, and a mistake in it is found" {
  local check=(/usr/bin/python3 -B "$TOP/tests/lint/cloudformation.py") change finding
  run -0 "${check[@]}" "$TOP/infra/sam/template.yaml"
  while IFS='|' read -r change finding; do
    echo "$change"
    mutate sam/template.yaml "$change"
    run -1 "${check[@]}" "$MUTANT/template.yaml"
    [[ $output == *"$finding"* ]]
  done <<'MISTAKES'
s/StorageEncrypted/StorageEncrypt/|no property StorageEncrypt
/DBSubnetGroupDescription/d|DBSubnetGroupDescription is required
s/Ref Vpc$/Ref Vpcs/|Vpcs: neither a parameter nor a resource
s/Database.Endpoint.Address/Database.Endpoint.Name/|has no attribute Endpoint.Name
s/!Ref LogDays/30/|parameter LogDays is not used
s/CodeUri/CodeUrl/|no property CodeUrl
s/AWS::SNS::Topic/AWS::SNS::Thread/|AWS::SNS::Thread is not in the list
s/^Outputs/Results/|no section Results
s/Threshold: 0/Period: 300/|is there twice
MISTAKES
}

# render: prints the script of a new machine, as Terraform makes it from its template.
render() {
  local name value script
  script=$(<"$TOP/infra/terraform/bootstrap.sh.tftpl")
  while IFS='=' read -r name value; do
    script=${script//"\${$name}"/"$value"}
  done <<'VALUES'
region=ca-central-1
domain=cruddur.test
cidr=10.20.0.0/16
port=8000
package=s3://bucket/cruddur.deb
secret=arn:aws:secretsmanager:ca-central-1:123456789012:secret:x
user_pool=ca-central-1_AbCdEfGhI
client=1example23456789
sign_in_origin=https://cruddur-123456789012.auth.ca-central-1.amazoncognito.com
log_group=/cruddur/service
VALUES
  printf '%s\n' "${script//'$${'/'${'}"
}

@test "the script of a new machine is a script, small enough for user data" {
  render >"$BATS_TEST_TMPDIR/bootstrap"
  run -0 shellcheck --shell=bash --exclude=SC2317 "$BATS_TEST_TMPDIR/bootstrap" # SC2317: it is sourced by no one but this test
  run -0 shfmt -i 2 -ci -bn -d "$BATS_TEST_TMPDIR/bootstrap"
  (($(wc -c <"$BATS_TEST_TMPDIR/bootstrap") < 16384))
}

@test "its nginx has as many connections as site.conf says, and the balancer leaves an idle connection before nginx does" {
  local idle
  render >"$BATS_TEST_TMPDIR/bootstrap"
  # shellcheck source=/dev/null
  (source "$BATS_TEST_TMPDIR/bootstrap" && connections </etc/nginx/nginx.conf) >"$BATS_TEST_TMPDIR/nginx.conf"
  grep -Eqx '[[:space:]]*worker_connections 8192;' "$BATS_TEST_TMPDIR/nginx.conf"
  grep -qx 'worker_rlimit_nofile 16384;' "$BATS_TEST_TMPDIR/nginx.conf"
  grep -Fq 'worker_connections 8192;' "$TOP/nginx/site.conf"
  idle=$(sed -n 's/^ *idle_timeout *= //p' "$TOP/infra/terraform/service.tf")
  ((idle > 15 && idle < $(sed -n 's/^keepalive_timeout \([0-9]*\)s;/\1/p' "$TOP/nginx/cruddur.conf")))
}

@test "its nginx serves behind the balancer: one port without TLS, the balancer's word on address and protocol" {
  local folder=$BATS_TEST_TMPDIR port
  render >"$folder/bootstrap"
  port=$(free_ports 1)
  (
    # shellcheck source=/dev/null
    source "$folder/bootstrap"
    site <"$TOP/nginx/site.conf"
  ) >"$folder/whole"
  run ! grep -E 'ssl|\$https|cruddur\.example|192\.0\.2|listen (80|443)\b' "$folder/whole"
  grep -x 'set_real_ip_from 10.20.0.0/16;' "$folder/whole"
  [[ $(grep -c '^server {' "$folder/whole") == 2 && $(grep -c 'listen.*8000 ' "$folder/whole") == 2 ]]
  grep -F '"https://cognito-idp.ca-central-1.amazonaws.com https://cruddur-123456789012.auth.ca-central-1.amazoncognito.com"' "$folder/whole"
  sed -e "s#/usr/local/share/cruddur/#$TOP/#; s#/var/log/nginx/#$folder/#; s#/run/cruddur/#$folder/#; /listen \[::\]/d" \
    -e "s/listen 8000/listen 127.0.0.1:$port/; /listen 127.0.0.1:8080/d" "$folder/whole" >"$folder/site.conf"
  printf 'pid %s/pid; error_log stderr; events {} http { include %s/site.conf; %s }\n' "$folder" "$folder" \
    "client_body_temp_path $folder; fastcgi_temp_path $folder; proxy_temp_path $folder; scgi_temp_path $folder; uwsgi_temp_path $folder;" \
    >"$folder/nginx.conf"
  run -0 "$(PATH=$PATH:/usr/sbin command -v nginx)" -t -p "$folder" -c "$folder/nginx.conf"
}

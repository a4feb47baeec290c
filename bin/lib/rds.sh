# shellcheck shell=bash
# What the rds-* scripts share: their arguments, which instance is meant, the calls of aws, and the guard before production.
# Production is the instance of PROD_RDS_INSTANCE, and every instance whose tag environment says so. Sourced, never run. A script
# that sources it has a function `usage` and calls `parse_arguments` first.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/common.sh"

readonly INSTANCE_NAME_MAX=63 # of RDS
readonly WAIT_MAX_S=2400      # how long --wait waits; a new instance takes five to fifteen minutes

# The columns of describe_instance, in the order of its query.
readonly INSTANCE_FIELDS=(status host port user secret class version storage storage_type multi_az public encrypted protected
  backup_days iam ca restarts_at environment)
INSTANCE_QUERY='DBInstanceStatus,Endpoint.Address,Endpoint.Port,MasterUsername,MasterUserSecret.SecretArn,DBInstanceClass,'
INSTANCE_QUERY+='EngineVersion,AllocatedStorage,StorageType,MultiAZ,PubliclyAccessible,StorageEncrypted,DeletionProtection,'
INSTANCE_QUERY+='BackupRetentionPeriod,IAMDatabaseAuthenticationEnabled,CACertificateIdentifier,AutomaticRestartTime,'
INSTANCE_QUERY="DBInstances[0].[$INSTANCE_QUERY TagList[?Key=='environment'].Value|[0]]"
readonly INSTANCE_QUERY

target=dev           # or prod
instance=''          # its name
guarded=''           # yes: the instance is production
psql_arguments=()    # the arguments after --
call=()              # the arguments of aws, set by build_call
declare -A option=() # those that were given: option[dry_run] is --dry-run's value, or yes
declare -A rds=()    # the instance as RDS describes it, by INSTANCE_FIELDS; a field that RDS does not report is "None"

# usage_environment: the part of every usage text that is the same.
usage_environment() {
  cat <<'USAGE'

RDS_INSTANCE      the instance (cruddur-db-instance); with the word prod it is PROD_RDS_INSTANCE, which has no default
AWS_ENDPOINT_URL  another endpoint for aws; region and credentials are found as aws finds them
USAGE
}

# parse_arguments "OPTION…" ARGUMENT…: takes `prod`, --help, --dry-run and the options named; one that ends in = takes a value,
# and -- is named where arguments for psql may follow. Anything else is misuse.
parse_arguments() {
  local allowed=" --dry-run $1 " key
  shift
  while (($#)); do
    key=${1#--} key=${key//-/_}
    if [[ $1 == -h || $1 == --help ]]; then
      usage
      usage_environment
      exit 0
    elif [[ $1 == prod ]]; then
      [[ $target == dev ]] || usage_error 'prod is given twice'
      target=prod
    elif [[ $1 == -- && $allowed == *' -- '* ]]; then
      # shellcheck disable=SC2034 # for rds-connect
      psql_arguments=("${@:2}")
      break
    elif [[ $1 =~ ^--[a-z-]+$ && $allowed == *" $1 "* ]]; then
      option[$key]=yes
    elif [[ $1 =~ ^--[a-z-]+$ && $allowed == *" $1= "* ]]; then
      [[ -n ${2:-} ]] || usage_error "$1 needs a value"
      option[$key]=$2
      shift
    else
      usage_error "unknown argument: $1"
    fi
    shift
  done
  choose_instance
}

# choose_instance: leaves the instance's name in `instance`.
choose_instance() {
  local variable=RDS_INSTANCE production=${PROD_RDS_INSTANCE:-}
  if [[ $target == prod ]]; then
    variable=PROD_RDS_INSTANCE
    instance=$production
    [[ -n $instance ]] || usage_error 'PROD_RDS_INSTANCE is not set: export PROD_RDS_INSTANCE=NAME'
    alert '== PRODUCTION (PROD_RDS_INSTANCE)'
    guarded=yes
  else
    instance=${RDS_INSTANCE:-cruddur-db-instance}
    if [[ -n $production && ${instance,,} == "${production,,}" ]]; then
      alert '== PRODUCTION (RDS_INSTANCE names the same instance as PROD_RDS_INSTANCE)'
      guarded=yes
    fi
  fi
  [[ $instance =~ ^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*$ && ${#instance} -le $INSTANCE_NAME_MAX ]] \
    || usage_error "$variable is not an instance's name: letters, digits and single hyphens, a letter first, at most $INSTANCE_NAME_MAX"
}

# build_call SERVICE OPERATION ARGUMENT…: leaves the call in `call`.
build_call() {
  call=(aws "$@" --cli-connect-timeout 5 --cli-read-timeout 30)
  [[ -z ${AWS_ENDPOINT_URL:-} ]] || call+=(--endpoint-url "$AWS_ENDPOINT_URL")
}

# print_call SERVICE OPERATION ARGUMENT…: for --dry-run.
print_call() {
  build_call "$@"
  printf '%s\n' "${call[*]@Q}"
}

# ask_aws SERVICE OPERATION ARGUMENT…: prints the answer. After an error of aws, which stays visible, the script says what to do and
# fails. In $(…) the caller passes the failure on.
ask_aws() {
  local error status=0
  require_command aws awscli
  build_call "$@"
  { error=$(AWS_PAGER='' "${call[@]}" 2>&1 >&3) || status=$?; } 3>&1
  [[ -z $error ]] || printf '%s\n' "${error#$'\n'}" >&2
  ((status == 0)) || die "aws $1 $2 failed: $(advice_for "$error")"
}

# advice_for ERROR: what to do about an error of aws.
advice_for() {
  case $1 in
    *DBInstanceNotFound*) printf 'there is no instance %s in this account and region' "$instance" ;;
    *DBInstanceAlreadyExists*) printf 'there is an instance %s already, see rds-status' "$instance" ;;
    *InvalidDBInstanceState*) printf '%s is in a state in which RDS does not do that, see rds-status, then try again' "$instance" ;;
    *Throttling* | *RequestLimitExceeded*) printf 'AWS asks for fewer calls, try again in a minute' ;;
    *AccessDenied* | *UnauthorizedOperation*) printf 'these credentials lack the right to it, which the error names' ;;
    *ExpiredToken* | *InvalidClientTokenId* | *SignatureDoesNotMatch* | *UnrecognizedClient* | *'locate credentials'*)
      printf 'give aws valid credentials (aws configure), see aws sts get-caller-identity'
      ;;
    *'specify a region'*) printf 'export AWS_DEFAULT_REGION=REGION' ;;
    *'connect to the endpoint'* | *'onnect timeout'*) printf 'nothing answers there, check the network, the region and AWS_ENDPOINT_URL' ;;
    *) printf 'see its error above' ;;
  esac
}

# describe_instance: fills `rds`.
describe_instance() {
  local answer values at
  answer=$(ask_aws rds describe-db-instances --db-instance-identifier "$instance" --query "$INSTANCE_QUERY" --output text) || exit 1
  mapfile -t values < <(tr '\t' '\n' <<<"$answer")
  ((${#values[@]} == ${#INSTANCE_FIELDS[@]})) || die 'aws answered something else than an instance: is this RDS?'
  for at in "${!INSTANCE_FIELDS[@]}"; do
    rds[${INSTANCE_FIELDS[at]}]=${values[at]}
  done
  if [[ -z $guarded && ${rds[environment],,} == production ]]; then
    alert '== PRODUCTION (the instance has the tag environment=production)'
    guarded=yes
  fi
}

# confirm OPTION ACTION: before an action on production the instance's name must be typed out or come with OPTION.
confirm() {
  local answer='' key=${1#--}
  key=${key//-/_}
  if [[ -v option[$key] ]]; then
    answer=${option[$key]}
  elif [[ -n $guarded ]]; then
    alert "This will $2 $instance."
    [[ ! -t 0 ]] || printf 'Type the name of the instance to go on: ' >&2
    IFS= read -r answer || die "nothing was typed, nothing was done: type the name, or give it by $1"
  else
    return 0
  fi
  [[ $answer == "$instance" ]] || die 'that is not the name of the instance, nothing was done'
}

# wait_for STATUS: if --wait was given, waits until the instance has that status.
wait_for() {
  local since=$SECONDS
  [[ -v option[wait] ]] || return 0
  note "waiting until $instance is $1"
  while describe_instance && [[ ${rds[status]} != "$1" ]]; do
    [[ ${rds[status]} != @(failed|incompatible-*|storage-full) ]] || die "$instance is ${rds[status]}: see its events in the RDS console"
    ((SECONDS - since < WAIT_MAX_S)) || die "$instance is still ${rds[status]} after $WAIT_MAX_S seconds: rds-status says how it goes on"
    sleep "${RDS_POLL_SECONDS:-20}"
  done
}

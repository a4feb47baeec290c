<?php
// Cruddur's first four routes on PHP-FPM; each child keeps its connection and what is prepared on it.
declare(strict_types=1);

const TTLS = [
    '30-days' => '30 days', '7-days' => '7 days', '3-days' => '3 days', '1-day' => '1 day',
    '12-hours' => '12 hours', '3-hours' => '3 hours', '1-hour' => '1 hour',
];

function query(string $name, array $values): ?array
{
    $connection = pg_pconnect(trim(file_get_contents(getenv('CONNECTION_URL_FILE'))));
    if ($connection === false) {
        refuse(503, ['database_unavailable']);
    }
    // The first request of a child finds nothing prepared.
    $result = @pg_execute($connection, $name, $values);
    if ($result === false) {
        @pg_prepare($connection, $name, file_get_contents(getenv('STATEMENTS') . "/$name.sql"));
        $result = pg_execute($connection, $name, $values);
    }
    if ($result === false) {
        refuse(500, ['generic_500']);
    }
    return pg_fetch_assoc($result) ?: null;
}

function answer(string $body): never
{
    header('Content-Type: application/json');
    header('Content-Length: ' . strlen($body));
    echo $body;
    exit;
}

function refuse(int $status, array $codes): never
{
    http_response_code($status);
    answer(json_encode($codes));
}

function home(): never
{
    $limit = filter_var($_GET['limit'] ?? 50, FILTER_VALIDATE_INT, ['options' => ['min_range' => 1, 'max_range' => 200]]);
    if ($limit === false) {
        refuse(422, ['limit_invalid']);
    }
    [$created, $after] = isset($_GET['cursor']) ? explode('/', $_GET['cursor'], 2) : [null, null];
    ['body' => $body, 'next_key' => $next] = query('home', [$limit, $created, $after]);
    if ($next !== null) {
        header("Link: </api/activities/home?limit=$limit&cursor=$next>; rel=\"next\"");
    }
    answer($body);
}

function show(string $uuid): never
{
    $row = query('show', [$uuid, null, null, null]);
    $row === null ? refuse(404, ['not_found']) : answer($row['body']);
}

function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

function create(): never
{
    $in = json_decode(file_get_contents('php://input'), true);
    if (!is_array($in)) {
        refuse(400, ['body_not_json']);
    }
    $message = $in['message'] ?? '';
    $handle = $in['user_handle'] ?? '';
    $ttl = TTLS[$in['ttl'] ?? ''] ?? null;
    $broken = [];
    if ($message === '') {
        $broken[] = 'message_blank';
    } elseif (preg_match_all('/./su', $message) > 280) {
        $broken[] = 'message_exceed_max_chars';
    }
    if ($handle === '') {
        $broken[] = 'user_handle_blank';
    }
    if ($ttl === null) {
        $broken[] = 'ttl_blank';
    }
    if ($broken !== []) {
        refuse(422, $broken);
    }
    ['outcome' => $outcome, 'body' => $body] = query('create', [uuid(), null, $handle, $message, $ttl]);
    $outcome === 'ok' ? answer($body) : refuse(422, [$outcome]);
}

$path = strtok($_SERVER['REQUEST_URI'], '?');
if ($path === '/api/health-check') {
    answer('{"success":true,"ver":1}');
} elseif ($path === '/api/activities/home') {
    home();
} elseif ($path === '/api/activities' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    create();
} elseif (preg_match('#^/api/activities/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$#', $path, $parts)) {
    show($parts[1]);
}
refuse(404, ['not_found']);

/* How long a request may take. Without an end, one that is lost on its way would keep its view, or what polls, waiting for ever. */

const LIMIT_MS = 15_000;

/**
 * The signal of a request: it ends when its time is over, or when who asks wants no answer any more.
 * @param {AbortSignal} [signal] of who asks
 */
export function limited(signal) {
  const limit = AbortSignal.timeout(LIMIT_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

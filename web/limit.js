const LIMIT_MS = 15_000;

/**
 * The signal of a request, with a time limit: an answer may never come.
 * @param {AbortSignal} [signal] of the view
 */
export function limited(signal) {
  const limit = AbortSignal.timeout(LIMIT_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

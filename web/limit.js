const LIMIT_MS = 15_000;

/**
 * The signal of a request: a lost one is not waited for for ever.
 * @param {AbortSignal} [signal] of the view that asks
 */
export function limited(signal) {
  const limit = AbortSignal.timeout(LIMIT_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

/** How many bytes the answers may have that are on their way. They may be far larger than the bodies, so their bound does not follow those alone. */

/** How many answers as large as the largest body may be on their way at once. */
const MOST_LARGEST = 16;
const LEAST_BYTES = 256 * 1024 * 1024;
/** Of one front among many: a few answers that are large. */
const LEAST_BYTES_OF_A_FRONT = 64 * 1024 * 1024;

/** The bound of one of `processes` that serve together. */
export function mostLeavingBytes(maxBodyBytes: number, processes = 1): number {
  const ofAll = Math.max(LEAST_BYTES, MOST_LARGEST * maxBodyBytes);
  return Math.max(LEAST_BYTES_OF_A_FRONT, maxBodyBytes, Math.floor(ofAll / processes));
}

/** The header `grpc-timeout` (gRPC over HTTP/2): up to eight digits and a unit. */

const perMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;
const FORM = /^(\d{1,8})([HMSmun])$/;

/** The time in ms that a header states; NaN where it is none. */
export function readGrpcTimeout(header: string): number {
  const [, digits, unit] = FORM.exec(header) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * perMs[unit as keyof typeof perMs];
}

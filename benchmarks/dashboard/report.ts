/** Table of measured times; `barMs`: the largest allowed one. */
export interface Measured {
  readonly what: string;
  readonly ms: number;
  readonly barMs?: number | undefined;
}

export function dashboardTable(measured: readonly Measured[]): string {
  const rows = measured.map(
    ({ what, ms, barMs }) =>
      `| ${what} | ${(ms / 1000).toFixed(3)} s | ${barMs === undefined ? '' : `${barMs / 1000} s${ms > barMs ? ': missed' : ''}`} |`,
  );
  return ['| step | time | bar |', '| --- | --- | --- |', ...rows].join('\n');
}

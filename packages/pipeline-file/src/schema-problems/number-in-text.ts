/**
 * Numbers written with a unit: "500ms" or "0.5s" in latencyMs is 500, "250m" in cpuCores 0.25, "200Mi" in memoryBytes
 * 209715200, "61%" in a fraction 0.61.
 */
const NUMBER_WITH_UNIT = /^([<≤=p\s]*)([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-zµ%]*)$/i;

type Units = Readonly<Record<string, number>>;

const TIME_MS: Units = { us: 0.001, µs: 0.001, ms: 1, s: 1000, sec: 1000, min: 60_000, h: 3_600_000 };
const CORES: Units = { m: 0.001, core: 1, cores: 1, cpu: 1, cpus: 1 };
const BYTES: Units = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  ki: 2 ** 10,
  kib: 2 ** 10,
  mi: 2 ** 20,
  mib: 2 ** 20,
  gi: 2 ** 30,
  gib: 2 ** 30,
};

function unitsOf(field: string): Units {
  if (field.endsWith('Ms')) return TIME_MS;
  if (field === 'cpuCores') return CORES;
  if (field.endsWith('Bytes')) return BYTES;
  return field === 'percentile' ? { '%': 1 } : { '%': 0.01 };
}

export function numberInText(text: string, field: string): number | undefined {
  const [, , digits, unit = ''] = NUMBER_WITH_UNIT.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const factor = unit === '' ? 1 : unitsOf(field)[unit.toLowerCase()];
  return factor === undefined ? undefined : Number((Number(digits) * factor).toPrecision(12));
}

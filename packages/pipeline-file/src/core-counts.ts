/** Core counts are decimal multiples of 0.05, so they are compared by hundredths. */

export const hundredthsOf = (cpuCores: number): number => Math.round(cpuCores * 100);

export const isSameCores = (a: number, b: number): boolean => hundredthsOf(a) === hundredthsOf(b);

/** Core counts are multiples of 0.05 written as decimals, so they are compared by the nearest hundredth. */

/** Whole hundredths of a core. */
export const hundredthsOf = (cpuCores: number): number => Math.round(cpuCores * 100);

/** Whether two core counts are the same. */
export const isSameCores = (a: number, b: number): boolean => hundredthsOf(a) === hundredthsOf(b);

/** Kinds of single values. Checks that JSON Schema cannot express have a message that starts with "expected". */
import { z } from 'zod';

const SHARE = 0.05;
const TOLERANCE = 1e-9;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const VARIANT_NAME = /^[A-Za-z0-9]([A-Za-z0-9._:/@+-]{0,125}[A-Za-z0-9])?$/;

const isWholeShare = (cpuCores: number): boolean => {
  const nearest = Math.round(cpuCores / SHARE) * SHARE;
  return nearest > 0 && Math.abs(cpuCores - nearest) <= TOLERANCE;
};

const nearestWholeShare = (cpuCores: number): number =>
  Number((Math.max(1, Math.round(cpuCores / SHARE)) * SHARE).toFixed(2));

const notBuiltIn = (name: string): boolean => !(name in {});

/** Name that fits URLs and metric labels. */
export const name = () =>
  z
    .string()
    .regex(
      NAME,
      'expected a name of at most 63 letters, digits, ".", "_" or "-" that starts and ends with a letter or digit',
    )
    .refine(notBuiltIn, 'expected a name that is not a built-in property of JavaScript objects');

/** Name of a variant. Published model names with "/", ":", "@" or "+" are valid. */
export const variantName = () =>
  z
    .string()
    .regex(
      VARIANT_NAME,
      'expected a name of at most 127 letters, digits or any of "._:/@+-" that starts and ends with a letter or digit',
    )
    .refine(notBuiltIn, 'expected a name that is not a built-in property of JavaScript objects');

export const text = () => z.string().min(1);

export const positive = () => z.number().gt(0);

export const nonNegative = () => z.number().min(0);

export const count = () => z.int().min(1);

export const wholeNumber = () => z.int().min(0);

export const fraction = () => z.number().min(0).max(1);

export const replicaCores = () =>
  z
    .number()
    .gt(0)
    .check(({ value, issues }) => {
      if (value <= 0 || isWholeShare(value)) return;
      issues.push({
        code: 'custom',
        input: value,
        message: 'expected a multiple of 0.05, the finest share of a core',
        params: { suggestion: String(nearestWholeShare(value)) },
      });
    });

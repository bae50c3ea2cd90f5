/**
 * The service law of a batch size between two profiled ones. The mean is the linear interpolation of the means (a batch of k items is
 * k rows of work plus a fixed part). Of two lognormals (a constant is one with σ = 0) σ is interpolated too; any other shape is taken
 * from the nearer neighbour and moved to the interpolated mean.
 */
import { lawMeanMs, lawWithMean, type ServiceLaw } from './service-law.js';

const sigmaOf = (law: ServiceLaw): number | undefined =>
  law.kind === 'constant' ? 0 : law.kind === 'lognormal' ? law.sigma : undefined;

/** The law a fraction `weight` (0…1) of the way from `low` to `high`. */
export function interpolateLaw(low: ServiceLaw, high: ServiceLaw, weight: number): ServiceLaw {
  const meanMs = (1 - weight) * lawMeanMs(low) + weight * lawMeanMs(high);
  const lowSigma = sigmaOf(low);
  const highSigma = sigmaOf(high);
  if (lowSigma === undefined || highSigma === undefined) return lawWithMean(weight < 0.5 ? low : high, meanMs);
  const sigma = (1 - weight) * lowSigma + weight * highSigma;
  return sigma === 0
    ? { kind: 'constant', ms: meanMs }
    : { kind: 'lognormal', mu: Math.log(meanMs) - (sigma * sigma) / 2, sigma };
}

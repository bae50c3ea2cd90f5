/** Flags of several commands. */
import { Option } from 'commander';
import { count, fraction, gapMs, positive, serviceFactor, sourceBehaviors } from '../terminal/flag-values.js';

/** Names of policies, the default first. */
export const policyNames = [
  'equipoise',
  'ipa',
  'fa2-low',
  'fa2-high',
  'rim',
  'static-cheapest',
  'static-best',
] as const;

export const policyFlag = (description: string): Option =>
  new Option('--policy <name>', description).choices(policyNames).default(policyNames[0]);

export const jsonFlag = (): Option =>
  new Option('--json', 'print one JSON document on stdout; progress and logs go to stderr');

export const profileScaleFlag = (): Option =>
  new Option(
    '--profile-scale <f>',
    'use cached profiles of another machine, with their times multiplied by this factor (time here ÷ time there)',
  ).argParser(positive);

export const serviceFactorFlag = (): Option =>
  new Option(
    '--service-factor <f>',
    'plans meet the SLO even if all service times are this factor times the profiled ones; overrides robustness of the file',
  ).argParser(serviceFactor);

export const cpuQuotaFlag = (): Option =>
  new Option(
    '--cpu-quota',
    "replicas with less than one core get it by quotas of the kernel, as pods with a CPU limit do; default: by the server's CPU shares, unless --target is given",
  );

export const unevenFlag = (): Option =>
  new Option(
    '--uneven <f>',
    'with several routers: how much more load than the mean the router with the most load gets, such as 0.2',
  ).argParser(fraction);

export const partGapFlag = (): Option =>
  new Option('--part-gap-ms <n>', 'mean time between the parts of a request, which come in any order').argParser(gapMs);

export const sourceFlag = (): Option =>
  new Option(
    '--source <name=behavior,…>',
    'parts of a source (repeat for each source): missing:FRACTION are not sent, late:FRACTION@MS come later; rps:N sends parts at a rate of their own, with random keys',
  ).argParser(sourceBehaviors);

export const keysFlag = (): Option =>
  new Option('--keys <n>', 'number of keys of the parts; default: each request has its own').argParser(count);

export const loadFlag = (): Option =>
  new Option(
    '--load <file>',
    'CSV with the number of requests in each second, or the name of a shipped load',
  ).conflicts(['arrivalRps', 'durationS']);

export const arrivalsFlag = (): Option =>
  new Option(
    '--arrivals <form>',
    'form of the load: poisson, deterministic, gamma:CV, mmpp:…, daily-cycle:…, step:…, ramp:…, square-wave:… or piecewise-linear:… (docs/reference/loads.md); with --load, spread of the requests within each second: poisson, uniform or bunched',
  ).default('poisson');

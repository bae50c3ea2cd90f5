/** Entry `@equipoise/runtime/profiles`: cached profiles alone, so that a command that only plans loads no server. */
export { machineFingerprint } from './profiling/machine-fingerprint.js';
export { ProfileCache } from './profiling/profile-cache.js';
export { type CachedProfile, cachedProfile, type VariantVerdict } from './profiling/profile-verdict.js';

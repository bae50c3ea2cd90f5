export { isAddress } from './artifact-address.js';
export { ArtifactCache, type ArtifactCacheOptions, type FetchLimits } from './artifact-cache.js';
export type { DownloadLimits, DownloadProgress } from './download.js';
export { FetchingLauncher, type LocateFile } from './fetching-launcher.js';
export type { Environment } from './s3-requests.js';

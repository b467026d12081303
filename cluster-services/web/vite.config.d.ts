/** Builds the page into `outDir` (default: dist/page, where the service looks for it). */
export declare function buildPage(outDir?: string): Promise<void>;
declare const _default: import("vite").UserConfig;
export default _default;

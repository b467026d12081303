import { fileURLToPath } from 'node:url';
import { build, defineConfig } from 'vite';
const pageDir = fileURLToPath(new URL('./src/page/', import.meta.url));
const defaultOutDir = fileURLToPath(new URL('./dist/page/', import.meta.url));
function pageConfig(outDir) {
    return {
        root: pageDir,
        base: './',
        configFile: false,
        logLevel: 'warn',
        resolve: { conditions: ['source', 'module', 'browser', 'import', 'default'] },
        oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
        build: {
            outDir,
            emptyOutDir: true,
            target: 'es2022',
            // The page's policy allows no inline scripts or styles and no data: URLs.
            assetsInlineLimit: 0,
            modulePreload: { polyfill: false },
        },
    };
}
/** Builds the page into `outDir` (default: dist/page, where the service looks for it). */
export async function buildPage(outDir = defaultOutDir) {
    await build(pageConfig(outDir));
}
export default defineConfig(pageConfig(defaultOutDir));
//# sourceMappingURL=vite.config.js.map
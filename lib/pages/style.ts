// The style sheet of every page: one, without anything to load. Its hash is all that the policy allows.

/** Colours of the app, as checked: `#rgb` or `#rrggbb`. */
export interface Accents {
  readonly light: string
  readonly dark: string
}

/** The whole style sheet. */
export function buildStyle({ light, dark }: Accents): string {
  return `:root{--accent:${light};--on-accent:${inkOn(light)}}
@media (prefers-color-scheme:dark){:root{--accent:${dark};--on-accent:${inkOn(dark)}}}
${SHEET}`
}

/** Black or white, whichever is easier to read on a colour (WCAG 2.2, contrast ratio). One of them always reaches 4.5. */
export function inkOn(colour: string): '#fff' | '#000' {
  const light = luminance(colour)
  return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? '#fff' : '#000'
}

function luminance(colour: string): number {
  const short = colour.length === 4
  const [red, green, blue] = [0, 1, 2].map((index) => {
    const digits = short
      ? colour.slice(index + 1, index + 2).repeat(2)
      : colour.slice(index * 2 + 1, index * 2 + 3)
    const value = Number.parseInt(digits, 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const SHEET = `:root{color-scheme:light dark;--page:#f3f4f7;--card:#fff;--sunken:#f6f7f9;--ink:#14171f;--soft:#555c6b;--line:#dfe2e8;--edge:#858c9a;--good:#0f6b43;--good-back:#e7f5ee;--warn:#7a4a00;--warn-back:#fff5e0;--warn-line:#f0d59b;--bad:#a3152a;--bad-back:#fdecee;--shadow:0 1px 2px rgb(20 23 31/.05),0 12px 40px rgb(20 23 31/.08)}
@media (prefers-color-scheme:dark){:root{--page:#0d0f14;--card:#171a21;--sunken:#1e222b;--ink:#f1f3f7;--soft:#a9b0be;--line:#2d323d;--edge:#7d8594;--good:#7fd8ac;--good-back:#12301f;--warn:#f5c877;--warn-back:#2e2410;--warn-line:#57431a;--bad:#ff9aa6;--bad-back:#381318;--shadow:0 0 0 1px #262b35}}
*,::before,::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;padding:clamp(1rem,5vh,4rem) 1rem 2rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Ubuntu,Cantarell,sans-serif;overflow-wrap:anywhere}
h1,h2,p,ul,dl,dd{margin:0}
ul{padding:0;list-style:none}
a{color:inherit;text-underline-offset:.2em}
code,.host{font-family:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:.9em}
bdi,h1,h2,.host{overflow:clip;overflow-clip-margin:.25em}
.brand{display:flex;align-items:center;justify-content:center;gap:.625rem;max-width:28rem;min-height:2rem;margin-block-end:1.25rem;font-weight:600;text-align:center}
.brand img{display:block;max-width:10rem;height:2rem;object-fit:contain}
.card{width:100%;max-width:28rem;padding:2rem;border-radius:1.25rem;background:var(--card);box-shadow:var(--shadow)}
.card>*+*{margin-block-start:1.5rem}
.head{text-align:center}
.head h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.015em;text-wrap:balance}
.head h1.ask{font-weight:400}
.ask bdi{font-weight:700}
.head h1.long{font-size:1.125rem;line-height:1.35;letter-spacing:0}
.head .lead{margin-block-start:.25rem;color:var(--soft);text-wrap:balance}
.pair{display:flex;align-items:center;justify-content:center;gap:.75rem;margin-block-end:1.25rem}
.pair::before{content:"";order:1;inline-size:2.25rem;border-block-start:2px dotted var(--edge)}
.tile{display:grid;place-items:center;inline-size:3.25rem;block-size:3.25rem;overflow:hidden;border-radius:1rem;background:var(--sunken);border:1px solid var(--line);font-size:1.375rem;line-height:1;font-weight:650}
.tile+.tile{order:2;background:var(--accent);border-color:transparent;color:var(--on-accent)}
.tile.logo{background:var(--card);border-color:var(--line)}
.tile img{display:block;inline-size:100%;block-size:100%;object-fit:contain;padding:.375rem}
.sign{margin-inline:auto;margin-block-end:1.25rem}
.sign.bad{background:var(--bad-back);border-color:transparent;color:var(--bad)}
.sign.warn{background:var(--warn-back);border-color:transparent;color:var(--warn)}
.sign.good{background:var(--good-back);border-color:transparent;color:var(--good)}
.sign .icon{inline-size:1.625rem;block-size:1.625rem}
.icon{flex:none;inline-size:1.25rem;block-size:1.25rem;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.badge{display:inline-flex;align-items:center;gap:.375rem;max-width:100%;margin-block-start:.875rem;padding:.25rem .75rem;border-radius:1rem;font-size:.875rem;font-weight:600;text-align:start}
.badge .icon{inline-size:1.0625rem;block-size:1.0625rem}
.badge.good{background:var(--good-back);color:var(--good)}
.badge.warn{background:var(--warn-back);color:var(--warn)}
.note{color:var(--soft);font-size:.875rem}
.head .note{margin-block-start:.5rem;text-wrap:pretty}
.account{display:flex;align-items:center;justify-content:space-between;gap:1rem;padding:.125rem 1rem;border:1px solid var(--line);border-radius:.75rem;font-size:.9375rem}
.account p{flex:1;min-width:0;padding-block:.625rem;color:var(--soft);font-size:.875rem;line-height:1.4}
.account strong{display:block;color:var(--ink);font-size:.9375rem}
section>h2{font-size:.9375rem;line-height:1.4;font-weight:600}
section>h2+.note{margin-block-start:.125rem}
section+section,section+.box,section+.note{margin-block-start:1.5rem}
.scopes{margin-block-start:.5rem}
.scopes li+li{border-block-start:1px solid var(--line)}
.scope{display:flex;align-items:flex-start;gap:.75rem;min-height:2.75rem;padding-block:.625rem}
label.scope{cursor:pointer}
.scope>.icon,.scope>input{flex:none;inline-size:1.25rem;block-size:1.25rem;margin:.125rem 0 0;color:var(--good);accent-color:var(--accent)}
.scope span{min-width:0}
.target{display:flex;align-items:flex-start;gap:.75rem;margin-block-start:.625rem;padding:.875rem 1rem;border:1px solid var(--line);border-radius:.75rem;background:var(--sunken)}
.target>.icon{margin-block-start:.1875rem;color:var(--soft)}
.target>div{min-width:0}
.target strong{display:block;font-weight:600}
.target .host{font-size:1.0625rem;font-weight:600}
.target strong+.host{font-size:.9375rem;font-weight:400}
.target .note{margin-block-start:.25rem}
.box{display:flex;align-items:flex-start;gap:.625rem;padding:.75rem 1rem;border-radius:.75rem;font-size:.9375rem}
.target+.box{margin-block-start:.625rem}
.box .icon{margin-block-start:.0625rem}
.box.warn{background:var(--warn-back);box-shadow:inset 0 0 0 1px var(--warn-line);color:var(--warn)}
.box.bad{background:var(--bad-back);color:var(--bad)}
.box.good{background:var(--good-back);color:var(--good)}
.field{display:block}
.field+.field{margin-block-start:1rem}
.field span{display:block;margin-block-end:.375rem;font-size:.9375rem;font-weight:600}
.field input{display:block;width:100%;min-height:2.875rem;padding:.5rem .875rem;border:1px solid var(--edge);border-radius:.75rem;background:var(--card);color:inherit;font:inherit}
.field input[aria-invalid]{border-color:var(--bad)}
.buttons{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,7.5rem),1fr));gap:.75rem;margin-block-start:1.5rem}
.button{display:flex;align-items:center;justify-content:center;min-height:2.875rem;padding:.5rem 1.25rem;border:1px solid var(--edge);border-radius:.75rem;background:transparent;color:inherit;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer;transition:background-color .12s,filter .12s}
.button:hover{background:var(--sunken)}
.button.main{border-color:transparent;background:var(--accent);color:var(--on-accent)}
.button.main:hover{filter:brightness(1.08)}
.link{flex:none;white-space:nowrap;min-height:2.75rem;padding:0 .125rem;border:0;background:none;color:inherit;font:inherit;font-weight:600;text-decoration:underline;text-underline-offset:.2em;cursor:pointer}
:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
.facts{padding-block-start:1rem;border-block-start:1px solid var(--line);color:var(--soft);font-size:.8125rem}
.facts dd{color:var(--ink)}
.told{text-align:center;text-wrap:pretty}
.told p+p{margin-block-start:1rem}
.told strong{font-weight:600}
.empty{padding-block:.5rem;color:var(--soft);text-align:center}
.apps>li{padding-block:1.25rem;border-block-start:1px solid var(--line)}
.apps>li:last-child{padding-block-end:0}
.app{display:flex;align-items:flex-start;gap:.875rem}
.app .tile{flex:none;inline-size:2.75rem;block-size:2.75rem;border-radius:.75rem;font-size:1.125rem}
.app>div{flex:1;min-width:0}
.app h2{font-size:1.0625rem;line-height:1.35;font-weight:600}
.app .badge{margin-block-start:.375rem}
.app ul{margin-block-start:.5rem;font-size:.9375rem}
.app li{display:flex;gap:.5rem}
.app li .icon{inline-size:1rem;block-size:1rem;margin-block-start:.25rem;color:var(--soft)}
.app .note{margin-block-start:.5rem}
.app form{margin-block-start:.875rem}
footer{display:flex;flex-wrap:wrap;justify-content:center;gap:0 1.5rem;margin-block-start:1rem;color:var(--soft);font-size:.875rem}
footer a{display:inline-flex;align-items:center;min-height:2.75rem}
@media (max-width:26rem){.card{padding:1.5rem 1.25rem}body{padding-inline:.625rem}}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
@media (forced-colors:active){.button,.tile,.badge,.box,.target{border:1px solid}}`

# SPDX-License-Identifier: MIT
"""The player of a lesson: the recorded run (docs/timelines/NAME.json), step by step.

pictures.py puts one above a timeline that has the option `player`.  What it shows is
computed by docs/site/steps.py, in the words of the page's language, and lies in the page as
JSON; _static/player.js shows it.  Without a script, and on paper, there is the timeline.
The words are in the catalogue `player`, which build.py takes out of the calls of say().
"""
import gettext
import json
import re
import sys
from html import escape
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

import sources

SITE = Path(__file__).resolve().parents[1]
sys.path.append(str(SITE))

import recording  # noqa: E402
import steps  # noqa: E402
from scene_list import SCENES  # noqa: E402

BLANKS = re.compile(r'^(?:<span class="w">\s+</span>|\s+)')
CATALOGUE = 'player'
CHINESE = SITE.parent / 'locale/zh_CN/LC_MESSAGES/player.po'
AROUND = 3  # lines of the program that are shown above and below the one that runs

BUTTONS = '''\
<div class="player-bar">
<button type="button" data-go="first" title="{first}" aria-label="{first}">|◀</button>
<button type="button" data-go="back">◀ {back}</button>
<button type="button" data-go="next" class="player-next">{next} ▶</button>
<button type="button" data-go="last" title="{last}" aria-label="{last}">▶|</button>
<button type="button" data-go="play" data-play="{play}" data-pause="{pause}">{play}</button>
<input type="range" min="0" value="0" aria-label="{step}">
<output data-of="{step_of}"></output>
</div>'''

LANE = '''\
<div class="player-lane" data-lane="{side}" role="group" aria-label="{title}">
<div class="player-head"><b>{title}</b> <span class="player-status" data-asleep="{asleep}"
 data-runs="{runs}"></span> <span class="player-file"></span></div>
<code class="player-call"></code>
<div class="player-code highlight"></div>
<div class="player-into"></div>
</div>'''

CHOICE = '''\
<div class="player-choice"><b>{state}</b> <button type="button" data-show="c"
 aria-pressed="true">C</button><button type="button" data-show="python"
 aria-pressed="false">Python</button></div>'''

PANELS = '''\
<div class="player-panels">
<section><table class="player-queues"><caption>{queues}</caption>
<thead><tr><th>{who}</th><th>{kernel}</th><th>{program}</th><th>{way}</th></tr></thead>
<tbody></tbody></table></section>
<section class="player-lists" data-asked="{asked}" data-ready="{ready}"
 data-nobody="{nobody}" data-kept="{kept}" data-handed="{handed}"
 data-forgotten="{forgotten}"></section>
<section><div class="player-caption">{descriptors}</div>
<ul class="player-descriptors"></ul></section>
</div>'''

PLAYER = '''\
<div class="player" role="group" tabindex="0" aria-label="{label}" hidden>
{buttons}
<p class="player-says" role="status" aria-live="polite"></p>
<div class="player-lanes">{lanes}</div>
{choice}
{panels}
<p class="player-hint">{keys} <button type="button" data-go="picture"
 aria-expanded="false">{picture}</button></p>
<script type="application/json">{data}</script>
</div>'''


def translator(env):
    """say(text, value...) in the language of the site that is built."""
    found = gettext.NullTranslations()
    for place in env.config.locale_dirs:
        found.add_fallback(gettext.translation(
            CATALOGUE, str(Path(env.srcdir) / place), [env.config.language or 'en'],
            fallback=True))
    return lambda text, *values: found.gettext(text).format(*values)


def words(say):
    """All that the page itself says."""
    return {
        'label': say("The run, step by step"), 'first': say("First step"),
        'back': say("Back"), 'next': say("Next"), 'last': say("Last step"),
        'play': say("Play"), 'pause': say("Pause"), 'step': say("Step"),
        'step_of': say("step # of #"), 'asleep': say("asleep"), 'runs': say("runs"),
        'state': say("Show"), 'queues': say("Where the bytes are"),
        'who': say("who"), 'kernel': say("in the kernel, not read"),
        'program': say("in the program's queue"), 'way': say("sent, not read yet"),
        'descriptors': say("Descriptors"), 'asked': say("Interest"),
        'ready': say("Ready now"), 'nobody': say("nobody"),
        'kept': say("the kernel keeps this list"),
        'handed': say("this list is handed over for one call"),
        'forgotten': say("nothing: between two calls the kernel keeps no list"),
        'keys': say("Arrow keys: one step. Home and End: the first and the last."),
        'picture': say("Timeline: the whole run as a picture")}


def marked_lines(file):
    """[how many blanks, HTML in the colours of its language] of each line of a source."""
    lexer = get_lexer_by_name(sources.language(file), stripnl=False)
    text = sources.read(file)
    html = highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    return [[len(line) - len(line.lstrip()), BLANKS.sub('', marked)]
            for line, marked in zip(text.splitlines(), html)]


def add_code(places):
    """Puts beside each place the lines around it; returns {file: {number: line}}."""
    code, marked = {}, {}
    for place in places:
        if not place:
            continue
        file = place['file']
        lines = marked.setdefault(file, marked_lines(file))
        first = max(1, min(place['line'] - AROUND, len(lines) - 2 * AROUND))
        shown = range(first, first + 2 * AROUND + 1)
        code.setdefault(file, {}).update((n, lines[n - 1]) for n in shown)
        blanks = min(lines[n - 1][0] for n in shown if lines[n - 1][1])
        place |= {'first': first, 'indent': blanks}
    return code


def data_of(number, say):
    """What the script is given."""
    scene, lines = SCENES[number], recording.Sources()
    data = steps.make_steps(recording.load(number, scene), scene, say)
    data['places'] = [steps.where(place, lines) for place in data['places']]
    return {**data, 'code': add_code(data['places'])}


def player(env, name):
    """The node of a lesson's player, and the files that it is made from."""
    number = int(name.partition('-')[0])
    say = translator(env)
    said = {key: escape(word) for key, word in words(say).items()}
    data = data_of(number, say)
    for path in [recording.path_of(number, SCENES[number]), CHINESE,
                 *(sources.TOP / file for file in data['code'])]:
        env.note_dependency(str(path))
    text = json.dumps(data, ensure_ascii=False, separators=(',', ':'))
    lanes = ''.join(LANE.format(side=side, title=title, **said)
                    for side, title in steps.SIDES.items())
    html = PLAYER.format(buttons=BUTTONS.format(**said), lanes=lanes,
                         choice=CHOICE.format(**said), panels=PANELS.format(**said),
                         data=text.replace('</', r'<\/'),
                         **{key: said[key] for key in ('label', 'keys', 'picture')})
    return nodes.raw('', html, format='html')


def add_files(app, pagename, templatename, context, doctree):
    """Only the pages that have a player load its script and its styles."""
    if 'class="player"' in context.get('body', ''):
        app.add_js_file('player.js', loading_method='defer')
        app.add_css_file('player.css')


def setup(app):
    app.connect('html-page-context', add_files)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}

# SPDX-License-Identifier: MIT
"""The few words that the directives put onto a page, in each language of the site."""

CHINESE = {
    'Answer': '答案',
    'All figures': '全部数值',
    'Exercise {}': '练习 {}',
    'Arguments': '参数',
    'Returns': '返回',
    'Errors': '错误',
    'Owner': '所有者',
    'Thread': '线程',
    'Python': 'Python',
    'From': '出处',
    'Since': '始于',
    'nothing changes hands': '没有所有权的转移',
    'none': '无',
}


def say(env, text, *values):
    """A word in the language that is being built."""
    if env.config.language.startswith('zh'):
        text = CHINESE[text]
    return text.format(*values)

// SPDX-License-Identifier: MIT
//
// The same in C++11, where a lambda without captures is a callback.

#include <selkie.h>

#include <string>
#include <unistd.h>

namespace {

struct selector {
    sel_selector *sel = nullptr;

    selector()
    {
        sel_open(SEL_BACKEND_DEFAULT, &sel);
    }
    ~selector()
    {
        sel_close(sel);
    }
    selector(const selector &) = delete;
    selector &operator=(const selector &) = delete;
};

std::string read_one(int fd)
{
    selector selector;
    std::string text;
    const sel_ready *ready = nullptr;
    sel_callback *append = [](sel_selector *sel, const sel_key *key, int) {
        char byte = 0;
        if (read(key->fd, &byte, 1) == 1)
            *static_cast<std::string *>(key->data) += byte;
        sel_unregister(sel, key->fd);
    };

    if (sel_register(selector.sel, fd, SEL_EVENT_READ, append, &text) == 0 &&
        sel_select(selector.sel, 5, &ready) == 1)
        sel_dispatch(selector.sel);
    return text;
}

// What comes, until nothing has come for a while.
struct conversation {
    int fd;
    std::string text;
    sel_timer idle;
};

std::string read_until_idle(int fd)
{
    selector selector;
    conversation talk = {fd, "", {0}};
    sel_task *append = [](sel_selector *sel, void *data) {
        conversation *self = static_cast<conversation *>(data);
        char byte = 0;
        if (read(self->fd, &byte, 1) == 1)
            self->text += byte;
        sel_reschedule(sel, self->idle, 0.01);
    };
    sel_task *end = [](sel_selector *sel, void *data) {
        sel_remove_reader(sel, static_cast<conversation *>(data)->fd);
    };

    if (sel_add_reader(selector.sel, fd, append, &talk) == 0 &&
        sel_call_later(selector.sel, 0.01, end, &talk, &talk.idle) == 0)
        sel_run(selector.sel);
    return sel_is_alive(selector.sel) == 0 ? talk.text : "";
}

} // namespace

int main()
{
    int ends[2];

    if (pipe(ends) < 0 || write(ends[1], "xyz", 3) != 3)
        return 2;
    return read_one(ends[0]) == "x" && read_until_idle(ends[0]) == "yz" ? 0 : 1;
}

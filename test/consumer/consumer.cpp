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

} // namespace

int main()
{
    int ends[2];

    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
        return 2;
    return read_one(ends[0]) == "x" ? 0 : 1;
}

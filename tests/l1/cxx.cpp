// larder.h from C++: all of it compiles, and a handle works against the server that the first argument names.
#include <larder.h>

#include <cstring>
#include <iostream>
#include <string>

static int load(void *arg, const char *key, size_t key_size, larder_result *result) {
    std::string value = std::string(static_cast<const char *>(arg)) + std::string(key, key_size);
    return larder_loaded(result, value.data(), value.size());
}

int main(int argc, char **argv) {
    char error[128] = "";
    larder_options options;
    larder_options_init(&options);
    options.l1_bytes = 1 << 20;
    larder *l = larder_open(argc > 1 ? argv[1] : "", &options, error, sizeof error);
    if (!l) return std::cerr << error << "\n", 1;
    larder_value v;
    larder_load how = {60000, -1, -1};
    char prefix[] = "made of ";
    if (larder_get_or_load(l, "key", 3, load, prefix, &how, &v) != LARDER_OK) return 2;
    std::cout << std::string(v.data, v.size) << "\n";
    larder_release(&v);
    larder_slice word[] = {{"GET", 3}, {"key", 3}};
    larder_reply *reply = nullptr;
    if (larder_command(l, 2, word, &reply) != LARDER_OK || larder_reply_type(reply) != '$') return 3;
    larder_reply_free(reply);
    larder_close(l);
    return std::strcmp(larder_version(), "") == 0;
}
